import type { KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { balancerPolicy } from '../../src/policy/balancer-policy.ts';
import { writeBundle } from '../../src/policy/bundle.ts';
import type { ManifestDraft } from '../../src/policy/manifest.ts';
import { decodeModel, encodeModel, type OnnxModel } from '../../src/policy/onnx-format.ts';
import { buildLinearPolicy } from '../../src/policy/onnx-linear.ts';
import { goldenPairs } from '../../src/policy/runtime.ts';
import { loadRobot } from '../../src/robot/robot.ts';
import { standingStill } from '../../src/robot/tasks/standing-still.ts';

/** The policy whose versions come over the broker. */
export const ID = 'standing';

export interface VersionOptions {
  readonly release: KeyObject;
  readonly version: number;
  readonly weight?: (weight: number) => number;
  readonly draft?: Partial<ManifestDraft>;
  /** makes another model of it, whose golden pairs nobody can run */
  readonly model?: (model: OnnxModel) => OnnxModel;
}

/** The balancer's law as a version, good or bad in one way. @returns its folder */
export async function writeVersion(folder: string, options: VersionOptions): Promise<string> {
  const { release, version, weight = (value) => value, model: change } = options;
  const { draft, law } = await balancerPolicy(standingStill, loadRobot('wheel-legged'));
  const model = buildLinearPolicy({ ...law, weights: law.weights.map((row) => row.map(weight)) });
  const observations = draft.golden.pairs.map(({ observation }) => [...observation]);
  const golden = { tolerance: 1e-5, pairs: await goldenPairs(model, 1, observations) };
  const changed = change ? encodeModel(change(decodeModel(model))) : model;
  writeBundle(folder, { ...draft, id: ID, version, golden, ...options.draft }, changed, release);
  return folder;
}

/** One bit of the model, after it was signed. */
export function flipBit(folder: string): void {
  const path = join(folder, 'policy.onnx');
  const model = readFileSync(path);
  const middle = model.length >> 1;
  model[middle] = (model[middle] ?? 0) ^ 1;
  writeFileSync(path, model);
}
