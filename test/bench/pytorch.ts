import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The Python that has Debian's python3-torch; another one on the path may not. */
const PYTHON = '/usr/bin/python3';
const STEP = join(import.meta.dirname, 'h2o-in-pytorch.py');
/** A case of the golden numbers that the anchor has to reproduce before its time counts for anything. */
const GOLDEN = join(import.meta.dirname, '..', 'fixtures', 'vectors', 'h2o-small.json.gz');
/** Greatest error of losses (relative) and weights (absolute). */
const TOLERANCE = 1e-4;

export interface StepSizes {
  readonly observation: number;
  readonly action: number;
  readonly hidden: number;
  readonly discriminatorHidden: number;
  /** rows of each source */
  readonly batch: number;
  readonly discriminatorBatch: number;
}

const python = async (...args: readonly (string | number)[]): Promise<unknown> =>
  JSON.parse((await promisify(execFile)(PYTHON, [STEP, ...args.map(String)])).stdout);

/** Whether PyTorch is there, and our step in it computes what the authors' code does. */
export async function hasPytorch(): Promise<boolean> {
  const there = await promisify(execFile)(PYTHON, ['-c', 'import torch']).catch(() => undefined);
  if (there === undefined) return false;
  const { metrics, weights } = (await python('check', GOLDEN)) as { metrics: number; weights: number };
  if (metrics <= TOLERANCE && weights <= TOLERANCE) return true;
  throw new Error(`the step in PyTorch is wrong: its metrics differ by ${metrics}, its weights by ${weights}`);
}

/** CPU of a step of H2O in eager PyTorch on one thread, batches and noise drawn. */
export async function pytorchFigures(of: StepSizes, steps: number, rounds: number) {
  const sizes = [of.observation, of.action, of.hidden, of.discriminatorHidden, of.batch, of.discriminatorBatch];
  return (await python('time', ...sizes, steps, rounds)) as { cpuMsPerStep: number; wallMsPerStep: number };
}
