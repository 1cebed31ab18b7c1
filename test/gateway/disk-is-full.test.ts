import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { verifyDirectory } from '../../src/recording/verify.ts';
import { reasonsOf } from '../harness.ts';
import type { Listener } from './listener.ts';
import { Mosquitto, noMosquitto } from './mosquitto.ts';
import { Rig, TestGateway } from './rig.ts';

/** Containers often forbid it; then the limit on the length of files has to do. */
const canMount =
  spawnSync('unshare', ['--map-root-user', '--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt']).status === 0;
const canLimit = spawnSync('prlimit', ['--version']).status === 0;

/** The disk, and what the recorder needs to go on: what it leaves to others, and room for a segment [MiB]. */
const DISK = 110;

/** The robot that stands does not care, and everybody is told. */
async function isTold(rig: Rig, listener: Listener): Promise<void> {
  const event = await listener.event('recording', ({ kind }) => kind === 'disk-full');
  expect(String(event.message)).not.toBe('');
  const state = await listener.state('the problem', (now) => now.online && now.recording.problem !== '');
  expect(state).toMatchObject({ state: 'running', recording: { on: false } });
  await rig.robot.simulator.wait(1);
  const status = await rig.robot.status('control names it, too', (now) => reasonsOf(now).includes('disk-full'));
  expect(status).toMatchObject({ state: 'running', reasons: [{ id: 'disk-full', action: 'warn' }] });
  expect(status.counters.answered).toBe(status.counters.frames);
}

async function goesOn(rig: Rig, listener: Listener): Promise<void> {
  await listener.event('recording', ({ kind }) => kind === 'recovered');
  await listener.state('recording again', (now) => now.online && now.recording.on && now.recording.problem === '');
  await rig.recording();
  await rig.robot.status('the warning is over', (now) => now.reasons.length === 0);
  const { counters } = await rig.robot.control.status();
  expect(counters).toMatchObject({ answered: counters.frames, 'frames.lost': 0 });
  expect(await rig.robot.simulator.measure('full')).toMatchObject({ falls: 0 });
}

describe.skipIf(noMosquitto)('a disk without room stops the recording, not the robot (needs mosquitto)', () => {
  it.skipIf(!canMount)('as long as it has none (needs a mount of its own)', async () => {
    const broker = await Mosquitto.start();
    const rig = await Rig.start({ broker, gateway: false });
    const { robot } = rig;
    mkdirSync(rig.recordings, { recursive: true });
    // Mounted where nobody else sees it, and gone with the process.
    const mount = `mount -t tmpfs -o size=${DISK}m tmpfs "$0" && exec "$@"`;
    const around = ['unshare', '--map-root-user', '--mount', 'sh', '-c', mount, rig.recordings];
    const gateway = new TestGateway(robot.configPath, around);
    rig.gateway = gateway;
    await rig.recording();
    await robot.stand();
    await robot.simulator.request('mark', { name: 'full' });
    const listener = await rig.listener();

    const disk = `/proc/${gateway.process.pid}/root${rig.recordings}`;
    const filler = join(disk, 'filler');
    expect(() => writeFileSync(filler, Buffer.alloc(DISK << 20, 1))).toThrow('ENOSPC');
    await isTold(rig, listener);
    const { rows } = await verifyDirectory(disk);
    rmSync(filler);
    await goesOn(rig, listener);
    const report = await verifyDirectory(disk);
    expect(report).toMatchObject({ duplicates: 0, corrupt: 0, ok: true });
    expect(report.rows).toBeGreaterThan(rows);
  });

  it.skipIf(canMount || !canLimit)('in the shape of files that may not grow', async () => {
    const broker = await Mosquitto.start();
    const rig = await Rig.start({ broker, gateway: false });
    const { robot } = rig;
    const listener = await rig.listener();
    // Little more than what the recorder holds in reserve.
    rig.gateway = new TestGateway(robot.configPath, ['prlimit', '--fsize=1200000']);
    await robot.stand();
    await robot.simulator.request('mark', { name: 'full' });
    await isTold(rig, listener);
    await goesOn(rig, listener);
    expect(await verifyDirectory(rig.recordings)).toMatchObject({ duplicates: 0, corrupt: 0, ok: true });
  });
});
