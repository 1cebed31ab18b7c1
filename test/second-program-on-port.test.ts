import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { familyOf, isAlive, TestRobot } from './harness.ts';

/** Opens the port at once, as it may before control claims it, and reads when told to. */
const thief = (reading: string) => `exec 3<"$0"; echo open; read -r go; ${reading}`;

it.each([
  { steals: 'now and then', reading: 'while dd bs=400 count=1 <&3 >/dev/null 2>&1; do :; done', gaps: true },
  // It is always first: nothing is left to see a gap between.
  { steals: 'everything', reading: 'exec cat <&3 >/dev/null', gaps: false },
])('a second program that reads $steals from the port leaves the robot in a safe state', async ({ reading, gaps }) => {
  // In real time: in step with the answers every stolen frame would cost a second.
  const robot = await TestRobot.withoutControl({ pace: 'real' });
  const second = spawn('sh', ['-c', thief(reading), robot.port], { stdio: ['pipe', 'pipe', 'ignore'] });
  onTestFinished(() => void second.kill('SIGKILL'));
  await once(second.stdout, 'data');

  await robot.startControl();
  const pid = await robot.controlPid();
  const [control] = familyOf(pid);
  await robot.arm();
  second.stdin.write('go\n');

  const hurt = await robot.status('control stops', ({ state }) => state === 'braking' || state === 'limp');
  expect(hurt.reasons.some(({ action }) => action === 'brake' || action === 'limp')).toBe(true);
  await robot.truth('the motor controller lets go', ({ state }) => state === 'limp' || state === 'idle');
  if (gaps) await robot.status('the gaps are counted', ({ counters }) => (counters['frames.lost'] ?? 0) > 0);
  expect(control && isAlive(control)).toBe(true);

  second.kill('SIGKILL');
  await robot.status('control has its port for itself again', ({ mcu }) => mcu.measuredRate !== null);
  expect(await robot.controlPid()).toBe(pid);
  expect(['limp', 'braking']).toContain((await robot.control.status()).state);
});
