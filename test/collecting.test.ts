import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFailed, onTestFinished } from 'vitest';
import { decodeRow, type Row } from '../src/messages/row.ts';
import { limitBit } from '../src/messages/states.ts';
import { isSegment } from '../src/recording/segment-name.ts';
import { readEvents, readRows, SegmentReader } from '../src/recording/segment-reader.ts';
import { verifyDirectory } from '../src/recording/verify.ts';
import {
  CLI,
  endProcess,
  environmentOf,
  type Finished,
  familyOf,
  h2oEdge,
  isAlive,
  lastLine,
  processStat,
  STAND,
  TestRobot,
  temporaryFolder,
  until,
} from './harness.ts';
import { residentMegabytes } from './process-family.ts';

const EXPLORATION = limitBit('exploration');

/** A collection on its way, and what it says. */
class Job {
  readonly process: ChildProcess;
  readonly finished: Promise<Finished>;
  stderr = '';

  constructor(words: readonly string[], folder: string) {
    const child = spawn(process.execPath, [CLI, 'record', ...words, '--json'], { cwd: folder, env: environmentOf() });
    this.process = child;
    onTestFinished(() => endProcess(child));
    onTestFailed(() => void process.stderr.write(this.stderr));
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.finished = new Promise((resolve) =>
      child.once('close', (code) => resolve({ code, stdout, stderr: this.stderr })),
    );
  }
}

async function rowsIn(folder: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const file of readdirSync(folder).filter(isSegment).sort()) {
    for await (const bytes of readRows(join(folder, file))) {
      const row = decodeRow(bytes);
      if (row) rows.push(row);
    }
  }
  return rows;
}

const explored = (rows: readonly Row[]) =>
  rows.filter(({ limits, robotState }) => robotState === 'running' && (limits & EXPLORATION) !== 0);

it('collects on a simulated robot of its own, lifts it after every fall, and counts what is on disk', async () => {
  const folder = temporaryFolder();
  const out = join(folder, 'collected');
  // Rough noise on a twin that is slow, weak and leans: it falls.
  const words = [
    '--task',
    'standing-still',
    '--transitions',
    '10000',
    '--noise',
    'falling',
    '--wander',
    '0.8',
    '--seed',
    '11',
  ];
  const job = new Job([...words, '--simulate', '--gap', 'twin-d', '--simulator-seed', '5', '--out', out], folder);
  const memory = new Map<string, number[]>();
  const sampling = setInterval(() => {
    for (const [name, megabytes] of residentMegabytes(job.process.pid ?? 0)) {
      memory.set(name, [...(memory.get(name) ?? []), megabytes]);
    }
  }, 500);
  const finished = await job.finished;
  clearInterval(sampling);
  const result = lastLine(finished);
  expect(result).toMatchObject({ ok: true, task: 'standing-still', ended: 'done', rowsLost: 0, onDisk: true });
  expect(finished.code).toBe(0);
  expect(result.episodes).toBe(Number(result.falls) + 1);
  expect(result.lifts).toBe(result.episodes);
  expect(result.falls).toBeGreaterThan(0);
  expect(result.coverage).toBeGreaterThan(0.05);

  const recordings = String(result.recordings);
  expect(await verifyDirectory(recordings)).toMatchObject({ ok: true, gaps: 0, duplicates: 0, open: 0 });
  const rows = explored(await rowsIn(recordings));
  // A few more may come between the last look and the end.
  expect(rows.length).toBeGreaterThanOrEqual(Number(result.transitions));
  expect(rows.length).toBeLessThan(Number(result.transitions) + 200);
  // Noise is bounded, and the guard has the last word.
  expect(Math.max(...rows.map(({ requestedTorque }) => Math.abs(requestedTorque)))).toBeLessThanOrEqual(3);
  expect(Math.max(...rows.map(({ commandedTorque }) => Math.abs(commandedTorque)))).toBeLessThanOrEqual(3);

  // How it came about is in every segment, and every start with its own noise is among the events.
  const files = (result.files as string[]).map((file) => join(recordings, file));
  const last = new SegmentReader(files.at(-1) ?? '');
  for await (const _ of last.chunks());
  expect(last.metadata.get('task')).toBe('standing-still');
  expect(last.metadata.get('controller')).toBe('balancer');
  expect(last.metadata.get('model')).toBe('wheel-legged');
  expect(last.metadata.get('firmware')).toContain('virtual');
  expect(JSON.parse(last.metadata.get('exploration') ?? '{}')).toMatchObject({ seed: 11, wander: 0.8, white: 0.5 });
  const episodes = new Set<number>();
  for (const file of files) {
    for await (const { event } of readEvents(file)) {
      const { mode } = event as { mode?: { exploration?: { episode: number } } };
      if (event.event === 'state' && mode?.exploration) episodes.add(mode.exploration.episode);
    }
  }
  expect([...episodes].sort((a, b) => a - b)).toEqual(
    Array.from({ length: Number(result.episodes) }, (_, index) => index),
  );

  // Every command, noise and all, can be computed again from the recording.
  const replay = await h2oEdge(['replay', recordings, '--json'], folder);
  expect(lastLine(replay)).toMatchObject({ ok: true });

  // No process grows with what it has made.
  for (const name of ['control', 'gateway']) {
    const held = memory.get(name) ?? [];
    expect(held.length).toBeGreaterThan(5);
    const half = Math.floor(held.length / 2);
    expect(Math.max(...held.slice(half))).toBeLessThan(Math.max(...held.slice(0, half)) + 60);
  }
});

/** The process that started this robot's control: `run`. */
async function parentOf(robot: TestRobot): Promise<number> {
  return Number(processStat(await robot.controlPid())?.[1]);
}

const isGateway = (pid: number): boolean =>
  readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes('gateway');

/** A simulated robot under `run`, as on a robot, with a collection that has set it going. */
async function collecting(more: readonly string[] = []) {
  const robot = await TestRobot.withoutControl({ simulator: [], config: { operatorHeartbeat: 20_000 } });
  await robot.startControl('run');
  const socket = join(robot.folder, 'sim.sock');
  const words = ['--task', 'standing-still', '--transitions', '1000000', '--seed', '3', '--simulator', socket];
  const job = new Job([...words, '--config', robot.configPath, ...more], robot.folder);
  await robot.status('it explores', ({ counters }) => (counters['collection.transitions'] ?? 0) > 200);
  return { robot, job };
}

it('ends with an e-stop in the middle of an episode, says so, and starts nothing again', async () => {
  const { robot, job } = await collecting();
  await robot.control.estop('somebody');
  const finished = await job.finished;
  expect(finished.code).not.toBe(0);
  expect(lastLine(finished)).toMatchObject({ ok: false, ended: 'estop', why: 'e-stopped by somebody', onDisk: true });
  expect(finished.stderr.trim().split('\n').at(-2)).toContain(
    'the collection ended early (estop): e-stopped by somebody',
  );
  await robot.simulator.wait(1);
  expect((await robot.control.status()).state).toBe('estopped');
});

it('ends when somebody disarms the robot, and when somebody gives it another mode, which stays', async () => {
  const { robot, job } = await collecting();
  await robot.control.disarm();
  expect(lastLine(await job.finished)).toMatchObject({ ok: false, ended: 'stopped' });
  expect((await robot.control.status()).state).toBe('disarmed');

  const socket = join(robot.folder, 'sim.sock');
  const words = ['--task', 'standing-still', '--minutes', '60', '--seed', '4', '--simulator', socket];
  const again = new Job([...words, '--config', robot.configPath], robot.folder);
  await robot.status('it explores again', ({ mode, state }) => state === 'running' && 'exploration' in mode);
  await robot.simulator.wait(1);
  await robot.control.command({ name: 'mode', mode: STAND }, robot.operator);
  expect(lastLine(await again.finished)).toMatchObject({ ok: false, ended: 'mode-changed' });
  expect(await robot.control.status()).toMatchObject({ state: 'running', mode: STAND });
});

it('ends in order on Ctrl-C: the robot stands under the balancer, and what was collected is on disk', async () => {
  const { robot, job } = await collecting();
  job.process.kill('SIGINT');
  const finished = await job.finished;
  const result = lastLine(finished);
  expect(finished.code).not.toBe(0);
  expect(result).toMatchObject({ ok: false, ended: 'interrupted', onDisk: true });
  expect(await robot.control.status()).toMatchObject({ state: 'running', mode: STAND });
  const recordings = String(result.recordings);
  await until('the segment is sealed', async () => (await verifyDirectory(recordings)).rows > 0);
  expect(explored(await rowsIn(recordings)).length).toBeGreaterThanOrEqual(Number(result.transitions));
});

it('outlives a gateway that is killed, and ends when control is: a robot that starts anew is disarmed', async () => {
  const { robot, job } = await collecting();
  const gateways = familyOf(await parentOf(robot)).filter(({ pid }) => isGateway(pid));
  expect(gateways).toHaveLength(1);
  for (const gateway of gateways) process.kill(gateway.pid, 'SIGKILL');
  await until('the gateway is gone', () => !gateways.some(isAlive));
  const { counters } = await robot.control.status();
  await robot.status('rows are acknowledged again', (now) => {
    return (now.counters['rows.acknowledged'] ?? 0) > (counters['rows.made'] ?? 0);
  });
  expect(job.process.exitCode).toBeNull();
  await robot.killControl();
  const finished = await job.finished;
  expect(finished.code).not.toBe(0);
  expect(lastLine(finished)).toMatchObject({ ok: false, ended: 'control-lost' });
  await robot.connect();
  expect((await robot.control.status()).state).toBe('disarmed');
});

it('ends when the disk of the robot is full; a job that is killed leaves a robot that holds', async () => {
  const { robot, job } = await collecting();
  await robot.control.request({ request: 'recorder', problem: 'disk-full' });
  const finished = await job.finished;
  expect(lastLine(finished)).toMatchObject({ ok: false, ended: 'disk-full' });
  expect(finished.code).not.toBe(0);
  expect(await robot.control.status()).toMatchObject({ state: 'running', mode: STAND });

  await robot.control.request({ request: 'recorder', problem: '' });
  const socket = join(robot.folder, 'sim.sock');
  const words = ['--task', 'standing-still', '--minutes', '60', '--seed', '4', '--simulator', socket];
  const again = new Job([...words, '--config', robot.configPath], robot.folder);
  await robot.status('it explores again', ({ limits }) => limits.includes('exploration'));
  again.process.kill('SIGKILL');
  const held = await robot.status('it holds', ({ limits }) => limits.includes('fallback'));
  expect(held.state).toBe('running');
  expect(held.reasons.map(({ id }) => id)).toContain('heartbeat-lost');
  expect(held.limits).not.toContain('exploration');
});

it('ends in order on Ctrl-C in a terminal, which reaches all that runs there, on a simulated robot too', async () => {
  const folder = temporaryFolder();
  const words = ['record', '--task', 'standing-still', '--minutes', '60', '--simulate', '--out', 'out', '--json'];
  // A foreground of its own, as a shell makes it.
  const child = spawn(process.execPath, [CLI, ...words], { cwd: folder, env: environmentOf(), detached: true });
  onTestFinished(() => endProcess(child));
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.resume();
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const recordings = join(folder, 'out', 'state', 'recordings');
  await until(
    'rows are on disk',
    async () => existsSync(recordings) && (await verifyDirectory(recordings)).rows > 1000,
  );
  const family = familyOf(child.pid ?? 0);
  expect(family.length).toBeGreaterThan(3);
  process.kill(-(child.pid ?? 0), 'SIGINT');
  expect(await closed).not.toBe(0);
  const result = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  expect(result).toMatchObject({ ok: false, ended: 'interrupted', onDisk: true });
  expect(await verifyDirectory(recordings)).toMatchObject({ ok: true, gaps: 0, open: 0 });
  expect(family.filter(isAlive)).toEqual([]);
});

it('leaves nothing in the way of a second try when the simulated robot could not be started', async () => {
  const folder = temporaryFolder();
  const words = [
    'record',
    '--task',
    'standing-still',
    '--minutes',
    '1',
    '--simulate',
    '--out',
    'out',
    '--gap',
    'no-such',
  ];
  const finished = await h2oEdge(words, folder);
  expect(finished.code).not.toBe(0);
  expect(finished.stderr).toContain('no-such.yaml');
  expect(readdirSync(folder)).toEqual([]);
});

it.each([
  [[], 'record what?'],
  [['start', '--minutes', '1'], '--minutes means nothing with start'],
  [['--task', 'standing-still', '--minutes', '1', '--gap', 'twin-d'], '--gap means nothing without --simulate'],
  [['--task', 'standing-still', '--minutes', '1', '--simulate', '--broker', 'mqtt://x'], '--broker means nothing with'],
  [['--task', 'standing-still'], 'how much'],
  [['--task', 'standing-still', '--minutes', '0'], '--minutes 0'],
  [['--task', 'standing-still', '--minutes', '1', '--white', '-1'], 'white'],
  [['--task', 'standing-still', '--minutes', '1', '--controller', 'No Such'], 'controller'],
])('refuses %j', async (words, message) => {
  const finished = await h2oEdge(['record', ...words]);
  expect(finished.code).not.toBe(0);
  expect(finished.stderr).toContain(message);
  expect(finished.stdout).toBe('');
});
