import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { openDataset } from '../../dataset/open-dataset.ts';
import { rateOf } from '../../dataset/provenance.ts';
import { collect } from '../../dataset/source.ts';
import type { Transitions } from '../../dataset/transitions.ts';
import { EdgeError } from '../../errors.ts';
import { isSegment } from '../../recording/segment-name.ts';
import type { TaskName } from '../../robot/tasks/task.ts';

export interface RealDataOptions {
  readonly path: string;
  readonly task: TaskName | null;
  readonly robot: string;
  /** that the run decides at [Hz] */
  readonly decisionRate: number;
  readonly observationSize: number;
  readonly actionSize: number;
  /** fewer rows than this cannot be learned from */
  readonly leastRows: number;
}

export interface RealData {
  readonly transitions: Transitions;
  readonly sha256: string;
  readonly warnings: readonly string[];
}

/**
 * Reads the data that a run learns from, and refuses what does not fit it.
 * @throws EdgeError `trainingInvalid`, and what reading throws
 */
export async function readRealData(options: RealDataOptions): Promise<RealData> {
  const { path, task, robot, decisionRate } = options;
  const recording = await isRecording(path);
  const source = await openDataset(path, {
    ...(task && { task }),
    ...(recording && { robot, rate: decisionRate }),
  });
  const transitions = await collect(source);
  const refuse = (what: string, remedy: string) => new EdgeError('trainingInvalid', `${path}: ${what}`, remedy);

  const { observationSize, actionSize, count, provenance } = transitions;
  if (observationSize !== options.observationSize || actionSize !== options.actionSize) {
    throw refuse(
      `observations of ${observationSize} and actions of ${actionSize} numbers, the environment has ` +
        `${options.observationSize} and ${options.actionSize}`,
      'name data of this environment',
    );
  }
  const rate = rateOf(provenance);
  if (rate !== undefined && Math.abs(rate - decisionRate) > 1e-6 * decisionRate) {
    throw refuse(
      `decisions at ${rate} Hz, the recipe decides at ${decisionRate} Hz`,
      `export the recording with --rate ${decisionRate}, or train with --set decisionRate=${rate}`,
    );
  }
  if (count < options.leastRows) {
    throw refuse(
      `${count} transitions are too few: a batch alone takes ${options.leastRows}`,
      'record more, or set smaller batches: training.batch, discriminators.batch',
    );
  }
  const unknown =
    rate === undefined ? [`${path} does not say its rate; it is taken for ${decisionRate} decisions a second`] : [];
  return { transitions, sha256: digestOf(transitions), warnings: [...source.warnings, ...unknown] };
}

async function isRecording(path: string): Promise<boolean> {
  const names = await readdir(path).catch(() => [basename(path)]);
  return names.some(isSegment);
}

function digestOf({ observations, actions, rewards, nextObservations, terminals, timeouts }: Transitions): string {
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of [
    observations,
    actions,
    rewards,
    nextObservations,
    terminals,
    timeouts,
  ]) {
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest('hex');
}
