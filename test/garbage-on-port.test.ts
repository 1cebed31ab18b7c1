import { expect, it } from 'vitest';
import { patientHost, TestRobot } from './harness.ts';

/** What random bytes mostly are: too long before the next 0x00, or blocks that do not add up. */
const REFUSALS = ['frames.oversized', 'frames.malformed'];

it('garbage on the line is counted by name, and the robot keeps standing', async () => {
  const robot = await TestRobot.start({ robotFile: patientHost });
  await robot.stand();
  const before = await robot.control.status();
  await robot.simulator.request('mark', { name: 'garbage' });
  const bursts = 3;
  for (let burst = 0; burst < bursts; burst++) {
    await robot.simulator.request('garbage', { bytes: 5000 });
    await robot.simulator.wait(0.25);
  }
  const after = await robot.control.status();
  const grown = (name: string) => (after.counters[name] ?? 0) - (before.counters[name] ?? 0);
  for (const name of REFUSALS) expect.soft(grown(name), name).toBeGreaterThan(0);
  // The frame that came right behind the noise has no delimiter before it and goes with it.
  expect(grown('frames.lost')).toBeLessThanOrEqual(bursts);
  expect(after).toMatchObject({ pid: before.pid, state: 'running' });
  expect(await robot.simulator.measure('garbage')).toMatchObject({ falls: 0 });
  expect((await robot.simulator.truth()).state).toBe('active');
});
