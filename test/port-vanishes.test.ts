import { expect, it } from 'vitest';
import { reasonsOf, refusalOf, STAND, TestRobot } from './harness.ts';

it('control survives the loss of the port, does not move by itself after its return, and can be armed again', async () => {
  const robot = await TestRobot.start();
  await robot.stand();
  const pid = await robot.controlPid();

  await robot.simulator.request('unplug');
  const lost = await robot.status('the loss is noticed', ({ link }) => !link.open);
  expect(reasonsOf(lost)).toContain('link-lost');
  expect(lost.state).toBe('braking');
  expect(lost.counters['link.losses']).toBe(1);
  await robot.truth('limp by its own watchdog', ({ state }) => state === 'limp');
  expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(/link-lost/);

  await robot.simulator.request('replug');
  const back = await robot.status('the robot is heard again', ({ mcu, link }) => {
    return link.open && mcu.session === 'accepted' && mcu.state === 'limp';
  });
  expect(back.pid).toBe(pid);
  expect(back.counters).toMatchObject({ 'link.opens': 2, 'link.losses': 1 });
  // It goes on hearing and answering, and still does not move: neither by itself nor because somebody lifts it.
  await robot.lift();
  await robot.simulator.wait(1);
  const waiting = await robot.control.status();
  expect(waiting.state).not.toBe('running');
  expect(reasonsOf(waiting)).toContain('link-lost');
  expect((await robot.simulator.truth()).state).toBe('limp');
  expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(/not-armed/);

  await robot.reset();
  await robot.lift();
  await robot.stand();
  await robot.simulator.request('mark', { name: 'again' });
  await robot.simulator.wait(2);
  expect(await robot.simulator.measure('again')).toMatchObject({ falls: 0 });
  const again = await robot.control.status();
  expect(again).toMatchObject({ state: 'running', pid });
  expect(again.counters['link.losses']).toBe(1);
});
