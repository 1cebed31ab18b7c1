import type { KeyObject } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleFiles, writeBundle, writeUnsignedBundle } from '../../policy/bundle.ts';
import type { ManifestDraft } from '../../policy/manifest.ts';
import type { NetworkSizes } from '../networks.ts';
import { layouts } from '../networks.ts';
import { observationSpec, policyModel, type TermRanges, trainedPolicy } from '../trained-policy.ts';
import type { PreparedRun } from './prepare-run.ts';
import { type RunConfig, seedsOf } from './run-config.ts';
import type { RunFolder } from './run-folder.ts';
import type { TransitionMemory } from './transition-memory.ts';
import { robotTask } from './worlds.ts';

export interface PolicyOptions {
  /** release key; without one the bundles are not signed, and no robot takes them */
  readonly key: KeyObject | undefined;
  /** rises with each release of an id */
  readonly version: number;
  readonly now: Date;
}

/** Beyond what it saw while it learned, a policy may act on this share of that range before the robot doubts it; assumed. */
const RANGE_MARGIN = 0.25;
/** Pairs that a robot checks before it takes a policy. */
const PROBES = 32;
const YEAR_MS = 365 * 24 * 3600 * 1000;

/** Stands beside the model of what is no robot's policy, and says how it came about. */
export const ABOUT = 'policy.json';

/** Writes a bundle: a signed one where there is a key, else one that says by its missing signature that nobody released it. */
export function writePolicy(
  directory: string,
  draft: ManifestDraft,
  model: Uint8Array,
  key: KeyObject | undefined,
): void {
  if (key) writeBundle(directory, draft, model, key);
  else writeUnsignedBundle(directory, draft, model);
}

/** As ids of bundles and names of folders have it: letters, digits and "-". */
const slug = (algorithm: string): string => algorithm.replaceAll('+', '-plus');

/**
 * Writes the policy of each seed: for the robot a bundle, for another environment `policy.onnx` alone.
 * @returns their folders
 */
export async function writePolicies(
  { training, sizes, view, worlds, real }: PreparedRun,
  config: RunConfig,
  folder: RunFolder,
  { key, version, now }: PolicyOptions,
): Promise<string[]> {
  const parameters = await training.policyParameters();
  const subject = robotTask(config);
  const { policy } = layouts(sizes);
  const written: string[] = [];
  for (const [index, seed] of seedsOf(config).entries()) {
    const own = parameters.slice(index * policy.size, (index + 1) * policy.size);
    const id = `${config.task ?? config.environment}-${slug(config.algorithm)}-seed-${seed < 0 ? `minus-${-seed}` : seed}`;
    const directory = join(folder.path, 'policies', id);
    if (!subject) {
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, bundleFiles.model.name), policyModel(sizes, own));
      const { environment, algorithm, gaps, steps, dataset, recipe } = config;
      const about = { environment, algorithm, gaps, seed, steps, dataset, recipe: recipe.name };
      writeFileSync(join(directory, ABOUT), `${JSON.stringify(about, null, 2)}\n`);
      written.push(directory);
      continue;
    }
    const memories = [worlds[index]?.ring, real].filter((memory) => memory !== undefined);
    const { draft, model } = await trainedPolicy({
      recipe: config.recipe,
      algorithm: config.algorithm,
      task: subject.task,
      robot: subject.robot,
      sizes,
      observation: observationSpec(config.recipe, subject.task, rangesOf(memories)),
      parameters: own,
      probes: probes(memories, sizes, (raw, from, out) => view.see(raw, from, out, 0)),
      id,
      version,
      description:
        `Trained by ${config.algorithm} (recipe ${config.recipe.name}) in the simulator` +
        `${config.gaps.length > 0 ? ` with ${config.gaps.join(', ')}` : ''}` +
        `${config.dataset ? ` and on ${config.dataset.rows} recorded transitions` : ''}, ${config.steps} steps, seed ${seed}.`,
      training: {
        data: config.dataset?.sha256 ?? null,
        seed,
        steps: config.steps,
        revision: config.revision,
        engine: config.engine,
      },
      created: now.toISOString(),
      expires: new Date(now.getTime() + YEAR_MS).toISOString(),
    });
    writePolicy(directory, draft, model, key);
    written.push(directory);
  }
  return written;
}

const names = ['x', 'v', 'pitch', 'pitchRate'] as const;

/** What the policy saw while it learned, in SI units, and a margin. */
function rangesOf(memories: readonly TransitionMemory[]): TermRanges {
  const ranges: Record<string, [number, number]> = {};
  for (const [column, name] of names.entries()) {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const memory of memories) {
      const { observations } = memory.remember();
      for (let at = column; at < observations.length; at += memory.observationSize) {
        const value = observations[at] as number;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    const margin = RANGE_MARGIN * (high - low);
    if (margin > 0) ranges[name] = [low - margin, high + margin];
  }
  return ranges;
}

/** Observations as the network sees them: nothing at all, and what it met. */
function probes(
  memories: readonly TransitionMemory[],
  { observation }: NetworkSizes,
  see: (raw: Float32Array, from: number, out: Float32Array) => void,
): number[][] {
  const found: number[][] = [Array<number>(observation).fill(0)];
  const seen = new Float32Array(observation);
  const [memory] = memories;
  for (let probe = 1; memory && memory.rows > 0 && probe < PROBES; probe++) {
    const row = Math.floor((probe * (memory.rows - 1)) / PROBES);
    see(memory.remember().observations, row * memory.observationSize, seen);
    found.push([...seen]);
  }
  return found;
}
