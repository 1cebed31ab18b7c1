import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { STAND, TestRobot, until } from './harness.ts';

it('at real pace a patient simulator lets its time stand still while the machine stalls, counts it, and goes on', async () => {
  const robot = await TestRobot.start({ pace: 'real', simulator: ['--hand', '--patience', '20000'] });
  await robot.stand(STAND);
  const { pid } = await robot.control.status();
  const before = await robot.simulator.truth();

  process.kill(pid, 'SIGSTOP');
  try {
    await until('time stands still', async () => {
      const { time } = await robot.simulator.truth();
      // Some frames' time: at real pace it would have gone on.
      await delay(100);
      return (await robot.simulator.truth()).time === time;
    });
    expect((await robot.simulator.truth()).state).toBe('active');
  } finally {
    process.kill(pid, 'SIGCONT');
  }

  const after = await until('a slip', async () => {
    const truth = await robot.simulator.truth();
    return truth.slips > before.slips && truth.time > before.time + 1 && truth;
  });
  expect(after).toMatchObject({ state: 'active', falls: 0 });
});
