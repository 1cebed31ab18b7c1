import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CLI, endProcess, environmentOf, type Finished, lastLine, temporaryFolder } from '../harness.ts';
import { Mosquitto, noMosquitto } from './mosquitto.ts';
import { Rig, ROBOT } from './rig.ts';

/** `record --task …` from a folder that has nothing to do with the robot; the simulator's hand lifts. */
function collect(
  rig: Rig,
  broker: Mosquitto,
  ...more: string[]
): { process: ChildProcess; finished: Promise<Finished> } {
  const words = [
    'record',
    '--task',
    'standing-still',
    '--seed',
    '3',
    '--simulator',
    join(rig.robot.folder, 'sim.sock'),
  ];
  const where = ['--broker', broker.url, '--robot', ROBOT, '--key', rig.operatorKey, '--json'];
  const child = spawn(process.execPath, [CLI, ...words, ...where, ...more], {
    cwd: temporaryFolder(),
    env: environmentOf(),
  });
  onTestFinished(() => endProcess(child));
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const finished = new Promise<Finished>((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
  return { process: child, finished };
}

async function standingBy() {
  const broker = await Mosquitto.start();
  // In step with the answers a second of the robot is much less than one here; the heart is to beat all the same.
  const rig = await Rig.start({ broker, simulator: [], config: { operatorHeartbeat: 20_000 } });
  await rig.operator();
  return { broker, rig };
}

describe.skipIf(noMosquitto)('collecting over a broker (needs mosquitto)', () => {
  it('does what was asked for, leaves the robot standing without noise, and knows that all is on disk', async () => {
    const { broker, rig } = await standingBy();
    const finished = await collect(rig, broker, '--transitions', '600').finished;
    expect(finished.code, finished.stderr).toBe(0);
    const result = lastLine(finished);
    expect(result).toMatchObject({ ok: true, ended: 'done', rowsLost: 0, onDisk: true, files: [] });
    expect(result.transitions).toBeGreaterThanOrEqual(600);
    const { state, mode } = await rig.robot.control.status();
    expect({ state, mode }).toEqual({ state: 'running', mode: { task: 'standing-still', controller: 'balancer' } });
  });

  it('ends when the broker dies, and the robot that nobody watches holds where it is, without noise', async () => {
    const { broker, rig } = await standingBy();
    const job = collect(rig, broker, '--transitions', '1000000');
    await rig.robot.status('it explores', ({ counters }) => (counters['collection.transitions'] ?? 0) > 100);
    await broker.kill();
    const finished = await job.finished;
    expect(finished.code).not.toBe(0);
    expect(lastLine(finished)).toMatchObject({ ok: false, ended: 'control-lost', onDisk: false });
    const held = await rig.robot.status('it holds', ({ limits }) => limits.includes('fallback'));
    expect(held.state).toBe('running');
    expect(held.reasons.map(({ id }) => id)).toContain('heartbeat-lost');
    expect(held.limits).not.toContain('exploration');
    expect(await rig.robot.simulator.truth()).toMatchObject({ state: 'active', falls: 0 });
  });
});
