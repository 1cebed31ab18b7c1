import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { say } from '../../src/commands/output.ts';
import { generateKeyPair, writePrivateKey } from '../../src/keys/key-pair.ts';
import { processStat } from '../process-family.ts';
import { until } from '../until.ts';
import { Belongings, message, startMosquitto } from './children.ts';
import type { FleetMessage } from './fleet-robots.ts';

const CLI = fileURLToPath(new URL('../../dist/h2o-edge.cjs', import.meta.url));
const FLEETS = [10, 25, 50, 100] as const;
/** Robots in one process. */
const TOGETHER = 50;
/** In which everything has begun, and then what is measured [s]. */
const SETTLING = 5;
const SECONDS = 20;
/** Enough to upload all the while: 20 s of rows at 200 Hz each. */
const SEGMENTS = 3;
const ROWS = 4000;
/** Of the clock of /proc [ms]. */
const TICK = 10;

interface Cost {
  /** CPU of all of its threads per robot, in parts per thousand of a processor */
  readonly cpuPerMille: number;
  /** resident, in all [MB] */
  readonly megabytes: number;
}

interface Fleet {
  readonly robots: number;
  readonly broker: Cost;
  readonly trainer: Cost;
  /** what really went through, of what was to */
  readonly telemetryPerSecond: number;
  readonly uploadedKilobytesPerSecond: number;
}

/**
 * What a robot more costs one mosquitto and one trainer: fleets of several sizes, each robot with its connections, state, telemetry at
 * 20 Hz, and recordings to upload at the rate at which it makes them. The trainer takes a few segments at a time: with more robots than
 * that, uploads together do not grow, and their robots wait.
 */
export async function fleet(): Promise<object> {
  const fleets: Fleet[] = [];
  for (const robots of FLEETS) {
    const belongings = new Belongings();
    try {
      const of = await measure(belongings, robots);
      fleets.push(of);
      const { broker, trainer } = of;
      say(
        `${String(robots).padStart(3)} robots: broker ${broker.cpuPerMille} ‰ of a processor each, ${broker.megabytes} MB; trainer ${trainer.cpuPerMille} ‰ each, ${trainer.megabytes} MB; telemetry ${of.telemetryPerSecond}/s, uploads ${of.uploadedKilobytesPerSecond} kB/s`,
      );
    } finally {
      await belongings.end();
    }
  }
  const [small, large] = [fleets[0], fleets.at(-1)];
  const times = (of: 'broker' | 'trainer') =>
    Number(((large?.[of].cpuPerMille ?? Number.NaN) / (small?.[of].cpuPerMille ?? Number.NaN)).toPrecision(3));
  // 1: a robot of the largest fleet costs as much as one of the smallest.
  const perRobotLargestToSmallest = { broker: times('broker'), trainer: times('trainer') };
  say(
    `a robot of ${large?.robots} costs the broker ${times('broker')} and the trainer ${times('trainer')} times what one of ${small?.robots} costs`,
  );
  return { fleets, perRobotLargestToSmallest };
}

async function measure(belongings: Belongings, robots: number): Promise<Fleet> {
  const folder = belongings.folder();
  const broker = await startMosquitto(belongings);
  const trainerFolder = join(folder, 'trainer');
  mkdirSync(trainerFolder);
  writePrivateKey(join(trainerFolder, 'release.pem'), generateKeyPair().privateKey);
  const config = {
    id: 'lab',
    directory: 'kept',
    broker: { url: broker.url },
    releaseKey: 'release.pem',
    logLevel: 'error',
    // It never trains: that would cost what it costs whoever sends.
    tasks: { 'standing-still': { algorithm: 'h2o', newRows: 0 } },
  };
  writeFileSync(join(trainerFolder, 'trainer.yaml'), stringify(config));
  const groups = Array.from({ length: Math.ceil(robots / TOGETHER) }, (_, group) => {
    const first = group * TOGETHER;
    const words = [first, Math.min(TOGETHER, robots - first), SEGMENTS, ROWS].map(String);
    return belongings.module('fleet-robots.ts', [broker.url, folder, ...words]);
  });
  await Promise.all(groups.map((group) => message<FleetMessage>(group, ({ is }) => is === 'online')));
  const trainer = belongings.program(process.execPath, [
    CLI,
    'trainer',
    '--config',
    join(trainerFolder, 'trainer.yaml'),
  ]);
  await until('the trainer takes data', () => kilobytesIn(trainerFolder) > 1000);
  await delay(1000 * SETTLING);

  const look = async () => ({
    at: performance.now() / 1000,
    broker: cpuOf(broker.pid),
    trainer: cpuOf(trainer.pid),
    telemetry: await telemetryOf(groups),
    kilobytes: kilobytesIn(trainerFolder),
  });
  const before = await look();
  await delay(1000 * SECONDS);
  const after = await look();
  const rate = (of: keyof typeof before) => (after[of] - before[of]) / (after.at - before.at);
  const cost = (of: 'broker' | 'trainer', pid: number | undefined): Cost => ({
    cpuPerMille: Number((rate(of) / robots).toPrecision(3)),
    megabytes: residentOf(pid),
  });
  return {
    robots,
    broker: cost('broker', broker.pid),
    trainer: cost('trainer', trainer.pid),
    telemetryPerSecond: Math.round(rate('telemetry')),
    uploadedKilobytesPerSecond: Math.round(rate('kilobytes')),
  };
}

/** CPU that a process has used [ms]. */
function cpuOf(pid = 0): number {
  const fields = processStat(pid);
  return (Number(fields?.[11]) + Number(fields?.[12])) * TICK;
}

function residentOf(pid = 0): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes) / 1024);
}

/** Messages that the robots have published. */
async function telemetryOf(groups: readonly ChildProcess[]): Promise<number> {
  const answers = groups.map(async (group) => {
    const answer = message<FleetMessage>(group, ({ is }) => is === 'telemetry');
    group.send('?');
    const said = await answer;
    return said.is === 'telemetry' ? said.sent : 0;
  });
  return (await Promise.all(answers)).reduce((sum, sent) => sum + sent, 0);
}

/** On the disk in a folder and all below. */
function kilobytesIn(folder: string): number {
  let blocks = 0;
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    blocks += statSync(join(folder, name), { throwIfNoEntry: false })?.blocks ?? 0;
  }
  return (blocks * 512) / 1000;
}
