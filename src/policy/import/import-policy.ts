import { EdgeError } from '../../errors.ts';
import { Random } from '../../random.ts';
import type { Robot } from '../../robot/robot.ts';
import type { TaskName } from '../../robot/tasks/task.ts';
import { completeManifest, sha256 } from '../bundle.ts';
import type { ManifestDraft } from '../manifest.ts';
import { manifestReasons } from '../vet.ts';
import { modelReasons } from '../vet-model.ts';
import { readForeign, tryModel } from './foreign-model.ts';
import { readMetadata } from './metadata.ts';
import type { Overrides } from './overrides.ts';
import { planImport } from './plan.ts';

export interface ImportOptions {
  readonly robot: Robot;
  readonly overrides: Overrides;
  readonly task: TaskName;
  readonly id: string;
  readonly version: number;
  /** name of the file, for the description */
  readonly from: string;
  readonly now: Date;
}

export interface Imported {
  /** what is to be signed; undefined if there is a reason against it */
  readonly bundle: { readonly draft: ManifestDraft; readonly model: Uint8Array } | undefined;
  /** everything that speaks against the model, each with its value and what to do */
  readonly reasons: readonly string[];
  /** what was taken for granted because nothing said otherwise */
  readonly assumed: readonly string[];
}

const YEAR_MS = 365 * 24 * 3600 * 1000;
/** Pairs that a robot checks before it takes the policy. */
const PAIRS = 24;
/** What single precision and another machine may do to an action of 1. */
const TOLERANCE = 1e-4;

/**
 * Makes a bundle of a model that another project has exported. What the model says of itself is read, checked and believed
 * no further than the robot can check it too; it is not signed here and so runs nowhere yet.
 */
export async function importPolicy(bytes: Uint8Array, options: ImportOptions): Promise<Imported> {
  const { robot, overrides, now } = options;
  const foreign = readForeign(bytes);
  if ('reasons' in foreign) return { bundle: undefined, reasons: foreign.reasons, assumed: [] };
  const { metadata, reasons: unread } = readMetadata(foreign.entries);
  const { inputs, outputs } = foreign;
  const plan = planImport({ metadata, overrides, robot, inputs, outputs });
  const { assumed } = plan;
  const reasons = [...unread, ...plan.reasons];
  if (reasons.length > 0) return { bundle: undefined, reasons, assumed };

  const digest = sha256(bytes);
  const usual = probes(inputs, Number.parseInt(digest.slice(0, 8), 16));
  const tried = await tryModel(foreign, [...usual, ...extremes(inputs)]);
  if (tried.reasons.length > 0) return { bundle: undefined, reasons: tried.reasons, assumed };
  const pairs = usual.map((observation, at) => ({
    observation: [...observation],
    action: [...(tried.actions[at] ?? [])],
  }));
  const largest = Math.max(1, ...pairs.flatMap(({ action }) => action.map(Math.abs)));
  const { runPath } = metadata;
  const run = runPath !== undefined && /^[\w./:-]{1,200}$/.test(runPath) ? runPath : null;
  const draft: ManifestDraft = {
    format: 1,
    id: options.id,
    version: options.version,
    task: options.task,
    robot: robot.name,
    description: `Imported from ${options.from.replace(/[^\w.-]/g, '?').slice(0, 200)}${run === null ? '' : `, run ${run}`}.`,
    algorithm: 'imported',
    rate: plan.rate,
    observation: plan.observation,
    action: plan.action,
    training: { data: null, seed: null, steps: null, revision: null, engine: null, run, original: digest },
    created: now.toISOString(),
    expires: new Date(now.getTime() + YEAR_MS).toISOString(),
    golden: { tolerance: Math.min(0.01, TOLERANCE * largest), pairs },
  };
  const model = foreign.renamed;
  try {
    const manifest = completeManifest(draft, model);
    reasons.push(...modelReasons(model, manifest), ...manifestReasons(manifest, robot, now.getTime()));
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    reasons.push(...error.message.split('\n'));
  }
  return { bundle: reasons.length === 0 ? { draft, model } : undefined, reasons, assumed };
}

/** Observations such as a robot has: rest, and all terms away from it. The same model is tried with the same ones. */
function probes(size: number, seed: number): number[][] {
  const random = new Random(seed);
  return Array.from({ length: PAIRS }, (_, pair) =>
    Array.from({ length: size }, () => (pair === 0 ? 0 : Math.fround(0.5 * random.gaussian()))),
  );
}

/** What broken sensors may show. */
function extremes(size: number): number[][] {
  return [1e3, -1e3, 1e6, -1e6].flatMap((value) => [
    Array<number>(size).fill(value),
    Array.from({ length: size }, (_, at) => (at % 2 === 0 ? value : -value)),
    ...Array.from({ length: size }, (_, at) => Array.from({ length: size }, (_, other) => (other === at ? value : 0))),
  ]);
}
