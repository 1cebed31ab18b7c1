import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { decodeRow } from '../../src/messages/row.ts';
import { readRows } from '../../src/recording/segment-reader.ts';
import { verifyDirectory } from '../../src/recording/verify.ts';
import { familyOf, isAlive, processStat, TestRobot, temporaryFolder, until } from '../harness.ts';

const wordsOf = (pid: number): string[] => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
};

/** Who runs below the supervisor under that word. */
async function pidOf(supervisor: number, command: 'control' | 'gateway'): Promise<number> {
  const found = await until(`${command} runs`, () => {
    return familyOf(supervisor).find(({ pid }) => wordsOf(pid).includes(command));
  });
  return found.pid;
}

async function recording(robot: TestRobot): Promise<void> {
  const { counters } = await robot.control.status();
  const before = counters['rows.acknowledged'] ?? 0;
  await robot.status('rows are put on disk', (now) => (now.counters['rows.acknowledged'] ?? 0) > before);
}

it('h2o-edge run starts control and gateway again when they are killed, and ends both in order', async () => {
  const log = join(temporaryFolder(), 'exchange.jsonl');
  const robot = await TestRobot.withoutControl({ simulator: ['--hand', '--log', log] });
  await robot.startControl('run');
  const supervisor = Number(processStat(await robot.controlPid())?.[1]);
  expect(wordsOf(supervisor)).toContain('run');
  await recording(robot);
  const recordings = join(robot.folder, 'state', 'recordings');

  // The gateway: nobody but the supervisor notices.
  await robot.stand();
  const gateway = await pidOf(supervisor, 'gateway');
  process.kill(gateway, 'SIGKILL');
  const another = await until('another gateway', async () => {
    const pid = await pidOf(supervisor, 'gateway');
    return pid !== gateway && pid;
  });
  await recording(robot);
  const status = await robot.control.status();
  expect(status).toMatchObject({ state: 'running', reasons: [] });
  expect(status.counters['rows.lost']).toBe(0);

  // Control: it comes back disarmed, and the gateway finds it.
  await robot.control.disarm();
  await robot.lift();
  await robot.killControl();
  await robot.connect();
  await robot.status('the new control hears the robot', ({ mcu }) => mcu.session === 'accepted');
  expect(await robot.control.status()).toMatchObject({ state: 'disarmed', mode: { task: 'disarmed' } });
  await recording(robot);
  expect(await pidOf(supervisor, 'gateway')).toBe(another);

  // The end: a robot that stands is braked, not dropped.
  await robot.stand();
  const family = familyOf(supervisor);
  expect(family.length).toBeGreaterThanOrEqual(3);
  process.kill(supervisor, 'SIGTERM');
  await until('all of them have ended', () => !family.some(isAlive));
  const { state } = await robot.simulator.truth();
  expect(['braking', 'limp', 'idle']).toContain(state);
  await robot.simulator.request('quit');
  const sent = readFileSync(log, 'utf8');
  expect(sent).not.toContain('"cause":"watchdog"');
  // What was recorded last is how the robot came to rest, and nothing is left open.
  const report = await verifyDirectory(recordings);
  expect(report).toMatchObject({ gaps: 0, duplicates: 0, corrupt: 0, open: 0, ok: true });
  const states: string[] = [];
  for (const { file } of report.files) {
    for await (const bytes of readRows(join(recordings, file))) states.push(decodeRow(bytes)?.robotState ?? '');
  }
  expect(states).toContain('braking');
  expect(readdirSync(join(robot.folder, 'run'))).not.toContain('control.sock');
});
