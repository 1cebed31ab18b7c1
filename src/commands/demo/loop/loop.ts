import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EdgeError } from '../../../errors.ts';
import { generateKeyPair } from '../../../keys/key-pair.ts';
import { trustEntry } from '../../../keys/trust-store.ts';
import type { TrainerResult } from '../../../messages/mqtt.ts';
import { complainAbout } from '../../output.ts';
import { demoPolicies } from '../demo-policies.ts';
import { Listener } from './listener.ts';
import { LoopRobot } from './loop-robot.ts';
import { LoopTrainer, releaseAs, trainInTheSimulator, writeReleaseKey } from './loop-trainer.ts';
import { Patience } from './patience.ts';
import { describePerformance, isBetter, type Performance } from './performance.ts';
import { startMosquitto } from './private-mosquitto.ts';

/** The policy whose versions go round; a mode command names it. */
const POLICY = 'standing-still-loop';

/** Tries before and after, and how long each is watched [s]. */
const TRIES = 3;
const WATCHED = 20;
const SHADOW = 10;
const TRIAL = 5;

/** For ten minutes; less time, less of it. */
const TRANSITIONS_EACH = 30_000;
const STEPS = 40_000;
/** What the robots do with a policy takes about so long [s]. */
const AFTER_TRAINING = 60;
const STEPS_BEFORE = 6000;

export interface LoopOptions {
  /** most that it may take */
  readonly minutes: number;
  readonly gaps: readonly string[];
  readonly seed: number;
  /** in place of a mosquitto of its own */
  readonly broker?: string | undefined;
  /** the folder stays */
  readonly keep: boolean;
}

export interface LoopResult {
  ok: boolean;
  robots: { name: string; before: Performance | null; after: Performance | null; stages: string[] }[];
  rows: { collected: Record<string, number>; uploaded: Record<string, number> };
  trainer: Pick<TrainerResult, 'outcome' | 'reason' | 'steps' | 'data' | 'gate' | 'offeredTo'> | null;
  /** trainings that it took until one was good enough */
  jobs: number;
  policy: { id: string; version: number } | null;
  minutes: number;
  folder: string | null;
  problems: string[];
}

/** What has to be ended, the last first. */
class Ends {
  readonly #ends: (() => Promise<void> | void)[] = [];

  add(end: () => Promise<void> | void): void {
    this.#ends.push(end);
  }

  async all(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) {
      // One that cannot be ended well does not keep the others.
      try {
        await end();
      } catch (error) {
        complainAbout(error);
      }
    }
  }
}

/**
 * The loop, once: two virtual robots that are not as the simulator believes, run by a policy from that simulator, record
 * data; a trainer learns from them; what it signs goes back to the robots, is tried there step by step, and is measured.
 * What fails stands in `problems`.
 */
export async function loop(options: LoopOptions, tell: (line: string) => void): Promise<LoopResult> {
  const began = performance.now();
  const folder = mkdtempSync(join(tmpdir(), 'h2o-edge-loop-'));
  const result: LoopResult = {
    ok: false,
    robots: [],
    rows: { collected: {}, uploaded: {} },
    trainer: null,
    jobs: 0,
    policy: null,
    minutes: 0,
    folder: options.keep ? folder : null,
    problems: [],
  };
  const ends = new Ends();
  const told = (line: string) => tell(`[${((performance.now() - began) / 1000).toFixed(0).padStart(3)} s] ${line}`);
  const interrupted = whatInterrupts();
  try {
    await perform({ options, folder, result, ends, tell: told, interrupted: interrupted.promise });
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    result.problems.push(`${error.message} → ${error.remedy}`);
  } finally {
    interrupted.end();
    await ends.all();
    if (!options.keep) rmSync(folder, { recursive: true, force: true });
  }
  result.minutes = Number(((performance.now() - began) / 60_000).toFixed(2));
  result.ok = result.problems.length === 0;
  return result;
}

interface Performing {
  readonly options: LoopOptions;
  readonly folder: string;
  readonly result: LoopResult;
  readonly ends: Ends;
  readonly tell: (line: string) => void;
  readonly interrupted: Promise<never>;
}

async function perform({ options, folder, result, ends, tell, interrupted }: Performing): Promise<void> {
  const { minutes, gaps, seed } = options;
  const share = Math.min(1, minutes / 10);
  const scaled = (whole: number) => Math.ceil(whole * share);
  const alone = new Patience(minutes, interrupted);
  const deadline = performance.now() + 60_000 * minutes;

  const broker = options.broker === undefined ? await startMosquitto(folder) : undefined;
  if (broker) ends.add(() => broker.stop());
  const brokerUrl = broker?.url ?? options.broker ?? '';
  const listener = await Listener.connect(brokerUrl);
  ends.add(() => listener.close());
  tell(`broker at ${brokerUrl}`);

  const release = generateKeyPair();
  writeReleaseKey(folder, release.privateKey);
  tell(`plain SAC, ${scaled(STEPS_BEFORE)} steps in the ideal simulator: the policy before`);
  const trained = await trainInTheSimulator(folder, scaled(STEPS_BEFORE), seed, alone);
  const baseline = join(folder, 'first-version', POLICY);
  releaseAs(POLICY, trained, baseline, release.privateKey);

  const { modes, trusted } = await demoPolicies();
  const policies = {
    modes,
    bundles: [{ id: POLICY, folder: baseline }],
    trusted: [...trusted, trustEntry(release.publicKey, 'release', 'the trainer of this demo')],
  };
  const names = ['robot-a', 'robot-b'];
  const starting = names.map((name, index) =>
    LoopRobot.start(
      {
        folder,
        name,
        simulatorWords: ['--gap', ...gaps, '--seed', String(seed + 1 + index)],
        brokerUrl,
        policies,
        listener,
        shadowSeconds: SHADOW,
        trialSeconds: TRIAL,
      },
      alone,
    ).then((robot) => {
      ends.add(() => robot.close());
      return robot;
    }),
  );
  // Each that came up has to be ended, also when another did not.
  await Promise.allSettled(starting);
  const robots = await Promise.all(starting);
  for (const { name } of robots) result.robots.push({ name, before: null, after: null, stages: [] });
  ends.add(() => {
    for (const [index, { stages }] of robots.entries()) {
      const entry = result.robots[index];
      if (entry) entry.stages = [...stages];
    }
  });
  tell(`${names.join(' and ')} are up, with the gap ${gaps.join(' ')}`);

  const transitions = scaled(TRANSITIONS_EACH);
  const trainer = await LoopTrainer.start(
    {
      folder,
      brokerUrl,
      policy: POLICY,
      baseline,
      gaps,
      steps: scaled(STEPS),
      minRows: transitions * names.length,
      seed,
    },
    listener,
    alone,
  );
  ends.add(() => trainer.close());
  const gone = (broker?.ended ?? new Promise<string>(() => {})).then((how): never => {
    throw new EdgeError('scenarioFailed', `mosquitto ended (${how})`, 'start the demo again');
  });
  gone.catch(() => {});
  const broken = Promise.race([interrupted, gone, trainer.broken, ...robots.map((robot) => robot.broken)]);
  const patience = new Patience((deadline - performance.now()) / 60_000, broken);

  tell('the policy before is measured; that is not recorded');
  await measureAll('before');

  tell(`collecting ${transitions} transitions on each, under the balancer with noise`);
  await each(async (robot, index) => {
    const count = await patience.bound(`${robot.name} to collect`, 1e9, robot.collect(transitions, seed + index));
    result.rows.collected[robot.name] = count;
    tell(`${robot.name}: ${count} transitions collected`);
  });
  for (const robot of robots) {
    const wanted = result.rows.collected[robot.name] ?? 0;
    await patience.until(
      `the rows of ${robot.name} at the trainer`,
      120,
      () => (trainer.rowsOf(robot.name) >= wanted ? true : undefined),
      () => `${trainer.rowsOf(robot.name)} of ${wanted} are there`,
    );
    result.rows.uploaded[robot.name] = trainer.rowsOf(robot.name);
    tell(`${robot.name}: ${trainer.rowsOf(robot.name)} rows are at the trainer`);
  }

  const done = await trainUntilGoodEnough();
  if (!done?.policy) {
    result.problems.push(`the trainer published nothing: ${done ? `${done.outcome}, ${done.reason}` : 'no time'}`);
    return;
  }
  const { gate } = done;
  const { id, version } = done.policy;
  result.policy = { id, version };
  const judged = gate?.evaluations[0];
  tell(
    `trainer: ${id} version ${version} is signed and offered; judged to stand ${figure(judged?.policy.survivalMean)} s, the one before it ${figure(judged?.previous?.survivalMean)} s`,
  );

  await each(async (robot) => {
    robot.follow(id, version);
    await robot.adopt(patience, tell);
    tell(`${robot.name}: committed, after ${robot.stages.join(', ')}`);
  });
  await measureAll('after');
  for (const [index, { name, before, after }] of result.robots.entries()) {
    if (!before || !after || isBetter(after, before)) continue;
    result.problems.push(`the new version does no better on ${name ?? index}`);
  }

  /** Each job has a seed of its own: what the gate sends back is ordered anew while there is time for it. */
  async function trainUntilGoodEnough(): Promise<TrainerResult | undefined> {
    // Training wants the processor that two robots at full speed would take from it.
    for (const robot of robots) robot.standStill(true);
    for (let took = 0; ; ) {
      const from = performance.now();
      const done = await trainer.train(patience, tell);
      took = Math.max(took, (performance.now() - from) / 1000);
      const { outcome, reason, steps, data, gate, offeredTo } = done;
      result.trainer = { outcome, reason, steps, data, gate, offeredTo };
      result.jobs += 1;
      if (!done.policy) tell(`trainer: ${outcome}: ${reason}`);
      if (!done.policy && outcome === 'not-good-enough' && patience.left > 1.1 * took + AFTER_TRAINING) continue;
      for (const robot of robots) robot.standStill(false);
      return done;
    }
  }

  async function each(work: (robot: LoopRobot, index: number) => Promise<void>): Promise<void> {
    const settled = await Promise.allSettled(robots.map(work));
    for (const one of settled) if (one.status === 'rejected') throw one.reason;
  }

  async function measureAll(when: 'before' | 'after'): Promise<void> {
    await each(async (robot, index) => {
      await robot.record(false);
      const measuring = robot.measure(POLICY, TRIES, WATCHED, patience);
      const measured = await patience.bound(`${robot.name} to be measured`, 180, measuring);
      const entry = result.robots[index];
      if (entry) entry[when] = measured;
      tell(`${robot.name} ${when}: ${describePerformance(measured)}`);
    });
  }
}

const figure = (value: number | null | undefined): string => (typeof value === 'number' ? value.toFixed(1) : '?');

/** Signals end the demo in order: nothing of it may stay behind. */
function whatInterrupts(): { readonly promise: Promise<never>; end(): void } {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let interrupt: (signal: NodeJS.Signals) => void = () => {};
  const promise = new Promise<never>((_, reject) => {
    interrupt = (signal) => reject(new EdgeError('scenarioFailed', `interrupted (${signal})`, 'start it again'));
  });
  promise.catch(() => {});
  for (const signal of signals) process.on(signal, interrupt);
  return { promise, end: () => void signals.map((signal) => process.off(signal, interrupt)) };
}
