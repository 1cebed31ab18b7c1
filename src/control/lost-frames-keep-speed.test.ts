import { expect, it, onTestFinished } from 'vitest';
import { loadRobot } from '../robot/robot.ts';
import { faultRequestSchema } from '../simulation/sim-requests.ts';
import { TwinLoop } from './twin-loop.testing.ts';

const robot = loadRobot('wheel-legged');

it.each([
  ['none is', undefined],
  ['every second one is', { verb: 'link', fault: 'reorder', direction: 'to-host' }],
  ['one in ten is', { verb: 'link', fault: 'drop', rate: 0.1 }],
])('a moving robot keeps its speed when frames are lost: %s', async (_, fault) => {
  const one = await TwinLoop.create({ robot, seed: 1 });
  onTestFinished(() => one.sim.delete());
  one.arm({ task: 'moving-straight', controller: 'balancer' });
  if (fault) one.sim.inject(faultRequestSchema.parse(fault));
  one.run(4);
  one.sim.meter.mark('moving');
  one.run(6);
  const meanSpeed = one.sim.meter.measure('moving')?.meanSpeed;
  expect(one.loop.control.safety.robotState).toBe('running');
  expect(meanSpeed).toBeGreaterThan(0.19);
  expect(meanSpeed).toBeLessThan(0.21);
});
