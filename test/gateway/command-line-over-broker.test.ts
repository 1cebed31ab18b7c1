import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { verifyDirectory } from '../../src/recording/verify.ts';
import {
  CLI,
  endProcess,
  environmentOf,
  type Finished,
  h2oEdge,
  lastLine,
  temporaryFolder,
  until,
} from '../harness.ts';
import { freePort } from '../loopback.ts';
import { Mosquitto, noMosquitto } from './mosquitto.ts';
import { Rig, ROBOT } from './rig.ts';

/** It did what it was asked, and says so in one object. */
function done(finished: Finished): Record<string, unknown> {
  expect(finished.stderr).toBe('');
  expect(finished.code).toBe(0);
  return lastLine(finished);
}

/** A user's mistake: words and a remedy, and no trace of the stack. */
function complaint({ code, stderr }: Finished): string {
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/ {2}→ .+\[E\d+ \w+\]/);
  expect(stderr).not.toMatch(/^ {4}at /m);
  return stderr;
}

describe.skipIf(noMosquitto)('the command line over a broker, from anywhere (needs mosquitto)', () => {
  it('looks, starts, stops and resets', async () => {
    const broker = await Mosquitto.start();
    const rig = await Rig.start({ broker });
    const { robot } = rig;
    await rig.operator();
    expect(done(await rig.remotely('status', '--json'))).toMatchObject({ name: ROBOT, state: 'disarmed' });
    // In the hand until it is armed.
    expect(done(await rig.signed('mode', 'standing-still', '--json'))).toMatchObject({
      ok: true,
      mode: { task: 'standing-still', controller: 'balancer' },
    });
    expect((await robot.simulator.truth()).state).toBe('active');

    const words = ['watch', '--broker', broker.url, '--robot', ROBOT];
    const watch = spawn(process.execPath, [CLI, ...words], { cwd: temporaryFolder(), env: environmentOf() });
    onTestFinished(() => endProcess(watch));
    const [line] = await once(createInterface({ input: watch.stdout }), 'line');
    expect(line).toMatch(/^running {2}standing-still under balancer {2}pitch /);
    const ended = once(watch, 'exit');
    watch.kill('SIGINT');
    expect(await ended).toEqual([0, null]);

    expect(done(await rig.remotely('estop', '--json'))).toMatchObject({ ok: true, confirmed: true, onDisk: true });
    expect((await robot.simulator.truth()).state).toBe('estopped');
    expect(complaint(await rig.signed('mode', 'standing-still'))).toMatch(/estop.*not-armed.*requestRefused/s);
    await rig.robot.confirmReset();
    expect(done(await rig.signed('reset', '--json'))).toEqual({ ok: true });
    await robot.truth('idle', ({ state }) => state === 'idle');
    await robot.lift();
    await robot.stand();
    // Stopping needs no key.
    expect(done(await rig.remotely('mode', 'disarmed', '--json'))).toMatchObject({ ok: true });
    expect((await robot.control.status()).state).toBe('disarmed');
  });

  it('makes keys; whoever has one that the robot was told to trust stops and starts the recording', async () => {
    const broker = await Mosquitto.start();
    const rig = await Rig.start({ broker, pace: 'real' });
    const { robot } = rig;
    const listener = await rig.listener();
    await rig.operator();
    const folder = temporaryFolder();
    const key = join(folder, 'new.pem');
    expect((await h2oEdge(['keys', 'generate', key], folder)).code).toBe(0);
    expect(existsSync(`${key}.pub`)).toBe(true);
    const record = (what: string) => rig.remotely('record', what, '--json', '--key', key);
    expect(complaint(await record('stop'))).toMatch(/unknown-key.*trust file/s);

    const trust = ['--trust', join(robot.folder, 'trust.yaml')];
    const words = ['keys', 'trust', `${key}.pub`, '--role', 'operator', '--name', 'a new one', ...trust];
    expect(await h2oEdge(words, folder)).toMatchObject({ code: 0, stderr: '' });
    expect(done(await h2oEdge(['keys', 'list', '--json', ...trust], folder)).keys).toContainEqual(
      expect.objectContaining({ role: 'operator', name: 'a new one' }),
    );
    await robot.killControl();
    await robot.startControl();
    await rig.recording();

    const rowsOnDisk = async () => (await verifyDirectory(rig.recordings)).rows;
    expect(done(await record('stop'))).toEqual({ ok: true, recording: false });
    await listener.state('not recording', (state) => state.online && !state.recording.on);
    // What it had before that is on its way to the disk.
    await rig.recording();
    await robot.simulator.wait(1);
    const stopped = await rowsOnDisk();
    expect(stopped).toBeGreaterThan(0);
    const { 'rows.made': made = 0 } = await rig.counters();
    await robot.status('control goes on', ({ counters }) => (counters['rows.acknowledged'] ?? 0) > made + 100);
    expect(await rowsOnDisk()).toBe(stopped);

    expect(done(await record('start'))).toEqual({ ok: true, recording: true });
    await listener.state('recording', (state) => state.online && state.recording.on);
    await until('rows are written again', async () => (await rowsOnDisk()) > stopped);
    // What was not wanted is a gap that everybody can see.
    expect(await verifyDirectory(rig.recordings)).toMatchObject({ gaps: 1, duplicates: 0, corrupt: 0, ok: true });
  });

  it('says what is wrong', async () => {
    const broker = await Mosquitto.start();
    const rig = await Rig.start({ broker, pace: 'real' });
    const operator = await rig.operator();
    const [unreachable, nameless, keyless, nobody] = await Promise.all([
      h2oEdge(['status', '--broker', `mqtt://127.0.0.1:${await freePort()}`, '--robot', ROBOT]),
      h2oEdge(['status', '--broker', broker.url]),
      rig.remotely('mode', 'standing-still'),
      h2oEdge(['status', '--broker', broker.url, '--robot', 'nobody']),
    ]);
    expect(complaint(unreachable)).toMatch(/the broker mqtt:\S+ does not answer.*notRunning/s);
    expect(complaint(nameless)).toMatch(/--broker and --robot.*usage/s);
    expect(complaint(keyless)).toMatch(/--key FILE.*usage/s);
    expect(complaint(nobody)).toMatch(/nobody is offline: it has never published.*notRunning/s);

    await rig.gateway?.kill();
    await until('the broker knows', () => operator.state?.online === false);
    expect(complaint(await rig.remotely('status'))).toMatch(
      /test-robot is offline: .*lost its connection.*notRunning/s,
    );
    // The stop goes another way.
    expect(done(await rig.remotely('estop', '--json'))).toMatchObject({ confirmed: true });
    await rig.robot.killControl();
    expect(complaint(await rig.remotely('estop'))).toMatch(/NOT confirmed.*cut the power/s);
  });
});
