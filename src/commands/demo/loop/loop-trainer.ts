import { type ChildProcess, spawn } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EdgeError } from '../../../errors.ts';
import { writePrivateKey } from '../../../keys/key-pair.ts';
import {
  MQTT_SCHEMA,
  type OnlineTrainer,
  type TrainerResult,
  trainerResult,
  trainerState,
  trainerTopic,
} from '../../../messages/mqtt.ts';
import { bundleFiles, writeBundle } from '../../../policy/bundle.ts';
import { readManifest, readModelOf } from '../../policy/bundle-files.ts';
import { exitOf } from '../../run.ts';
import { end } from '../stage.ts';
import type { Listener } from './listener.ts';
import type { Patience } from './patience.ts';

const cli = fileURLToPath(new URL('../../../h2o-edge.cjs', import.meta.url));

/** Name of the demo's trainer. */
export const TRAINER = 'demo-trainer';
const TASK = 'standing-still';
const KEY = 'release.pem';

/** What the gate wants: robots take back a version in its trial that leans as far as one that falls, see docs/policies.md. */
const LEAST = { survivalMin: 20 } as const;
const MOST = { rmsPitch: 0.05 } as const;

export interface LoopTrainerOptions {
  readonly folder: string;
  readonly brokerUrl: string;
  readonly policy: string;
  /** bundle of the version before the first that it trains */
  readonly baseline: string;
  readonly gaps: readonly string[];
  readonly steps: number;
  readonly minRows: number;
  readonly seed: number;
}

/** The trainer service of the loop, a process as anybody would start it. */
export class LoopTrainer {
  readonly broken: Promise<never>;
  state: OnlineTrainer | undefined;
  result: TrainerResult | undefined;
  readonly #child: ChildProcess;
  readonly #listener: Listener;
  #orders = 0;
  #closing = false;

  private constructor(child: ChildProcess, listener: Listener) {
    this.#child = child;
    this.#listener = listener;
    listener.on(trainerTopic(TRAINER, 'trainerState'), trainerState, (state) => {
      this.state = state.online ? state : undefined;
    });
    listener.on(trainerTopic(TRAINER, 'trainerResult'), trainerResult, (result) => {
      this.result = result;
    });
    this.broken = exitOf(child).then(async (how) => {
      if (this.#closing) return await new Promise<never>(() => {});
      throw new EdgeError('scenarioFailed', `the trainer ended (${how})`, 'see its complaint above');
    });
    this.broken.catch(() => {});
  }

  static async start(options: LoopTrainerOptions, listener: Listener, patience: Patience): Promise<LoopTrainer> {
    const { folder, brokerUrl, policy, baseline, gaps, steps, minRows, seed } = options;
    const config = {
      id: TRAINER,
      directory: 'trainer',
      broker: { url: brokerUrl },
      releaseKey: KEY,
      logLevel: 'error',
      limits: { kilobytesPerSecond: 10_000 },
      tasks: {
        [TASK]: {
          algorithm: 'h2o',
          policy,
          seed,
          steps,
          checkpointEvery: Math.ceil(steps / 4),
          minRows,
          // Only the demo's order starts a job.
          newRows: 0,
          leastVersion: 2,
          gate: {
            // It has to stand longer than the version before it, on robots such as those that it is for.
            evaluations: [{ dynamics: 'twin', gaps, seeds: 4, seconds: 20, atLeast: LEAST, atMost: MOST }],
            notWorseIn: ['survivalMean', 'meanReturn'],
            tolerance: 0,
            baseline,
          },
        },
      },
    };
    const path = join(folder, 'trainer.yaml');
    // JSON is YAML.
    writeFileSync(path, JSON.stringify(config, null, 2));
    const child = spawn(process.execPath, [cli, 'trainer', '--config', path], {
      stdio: ['ignore', 'ignore', 'inherit'],
      detached: true,
    });
    const trainer = new LoopTrainer(child, listener);
    try {
      await patience.until('the trainer to be on the broker', 60, async () => {
        await Promise.race([trainer.broken, new Promise((resolve) => setTimeout(resolve, 50))]);
        return trainer.state;
      });
      return trainer;
    } catch (error) {
      await trainer.close();
      throw error;
    }
  }

  /** Rows of a robot that are in the store. */
  rowsOf(robot: string): number {
    return this.state?.stock.find(({ task }) => task === TASK)?.robots[robot] ?? 0;
  }

  /** Orders a training and follows it to its end. */
  async train(patience: Patience, tell: (line: string) => void): Promise<TrainerResult> {
    this.#orders += 1;
    const order = { schema: MQTT_SCHEMA, id: `demo-${this.#orders}`, do: 'train', task: TASK };
    const before = this.result?.job;
    await this.#listener.say(trainerTopic(TRAINER, 'trainerOrder'), order);
    let told = '';
    const heard = () => {
      const job = this.state?.job;
      if (!job) return this.state?.refusals[0] ? `refused: ${this.state.refusals[0].why}` : 'no job';
      return job.stage === 'training' ? `training, step ${job.step} of ${job.steps}` : job.stage;
    };
    let toldAt = 0;
    return await patience.until(
      'the trainer to train and judge a policy',
      1e9,
      () => {
        const now = heard();
        // Until the trainer has taken the order, its state tells of the job before.
        const stage = this.state?.job?.id === before ? '' : (this.state?.job?.stage ?? '');
        if (stage !== '' && (stage !== told || performance.now() - toldAt > 10_000)) {
          tell(`trainer: ${now}`);
          told = stage;
          toldAt = performance.now();
        }
        return this.result?.job === before ? undefined : this.result;
      },
      heard,
    );
  }

  async close(): Promise<void> {
    this.#closing = true;
    await end(this.#child);
  }
}

export const writeReleaseKey = (folder: string, key: KeyObject): void => writePrivateKey(join(folder, KEY), key);

/**
 * A policy as a first version under a name of its own, signed: as a person would release one.
 * @param trained folder that `train` wrote it to
 */
export function releaseAs(id: string, trained: string, folder: string, key: KeyObject): void {
  const { manifest } = readManifest(trained);
  const model = readModelOf(trained, manifest);
  const { model: _, ...draft } = manifest;
  writeBundle(folder, { ...draft, id, version: 1 }, model, key);
  // What robots verify is read back whole before they are furnished with it.
  readFileSync(join(folder, bundleFiles.signature.name));
}

/** Trains without a robot: plain SAC, in the ideal simulator alone. @returns folder of the policy */
export async function trainInTheSimulator(
  folder: string,
  steps: number,
  seed: number,
  patience: Patience,
): Promise<string> {
  const out = join(folder, 'simulator-alone');
  const words = ['train', '--task', TASK, '--algorithm', 'sac', '--steps', String(steps), '--seed', String(seed)];
  const more = [
    '--evaluate-every',
    String(steps),
    '--evaluation-episodes',
    '1',
    '--key',
    join(folder, KEY),
    '--out',
    out,
  ];
  const child = spawn(process.execPath, [cli, ...words, ...more], {
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: true,
  });
  try {
    const how = await patience.bound('a policy from the ideal simulator', 1e9, exitOf(child));
    if (how !== 'code 0') {
      throw new EdgeError('scenarioFailed', `training in the simulator ended (${how})`, 'see its complaint above');
    }
  } finally {
    await end(child);
  }
  return join(out, 'policies', `${TASK}-sac-seed-${seed}`);
}
