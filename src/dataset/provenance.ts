import { EdgeError } from '../errors.ts';
import type { TaskName } from '../robot/tasks/task.ts';
import { taskNames } from '../robot/tasks/tasks.ts';
import { MARKS } from './marks.ts';
import type { TransitionSource } from './source.ts';
import type { Json, Provenance } from './transitions.ts';

/** Provenance that was read from somewhere: what is no object is none. */
export const asProvenance = (json: Json | undefined): Provenance =>
  typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Provenance) : {};

/** The task that a dataset's rewards are for, where it says one. */
export const taskOf = ({ task }: Provenance): TaskName | undefined => taskNames.find((name) => name === task);

/** Decisions a second, where a dataset says them. */
export const rateOf = ({ rate }: Provenance): number | undefined =>
  typeof rate === 'number' && rate > 0 ? rate : undefined;

/** Names of the columns of an observation or action; numbers where nobody said any. */
export function namesOf(provenance: Provenance, key: 'observationNames' | 'actionNames', size: number): string[] {
  const names = provenance[key];
  if (Array.isArray(names) && names.length === size && names.every((name) => /^[A-Za-z0-9_]+$/.test(String(name)))) {
    return names.map(String);
  }
  return Array.from({ length: size }, (_, index) => String(index));
}

/**
 * A dataset of a task: one that says its own has to say this one, one that says none is given it.
 * @throws EdgeError `usage`
 */
export function ofTask(source: TransitionSource, task: TaskName | undefined): TransitionSource {
  const own = taskOf(source.provenance);
  if (task === undefined || own === task) return source;
  if (own !== undefined) {
    throw new EdgeError(
      'usage',
      `the rewards of ${source.path} are for ${own}, not for ${task}`,
      `leave --task out or say ${own}; rewards of another task come from the recording, not from here`,
    );
  }
  return {
    path: source.path,
    format: source.format,
    shape: source.shape,
    rowsAtMost: source.rowsAtMost,
    get provenance(): Provenance {
      return { ...source.provenance, task };
    },
    get warnings() {
      return source.warnings;
    },
    batches: () => source.batches(),
  };
}

/**
 * How to read the marks of a file: its names for the bits need not be in our order.
 * @returns our mask for theirs; `undefined` when one of the names is none that this program knows
 */
export function marksReader(legend: Json | undefined): ((mask: number) => number) | undefined {
  if (legend === undefined) return (mask) => mask;
  if (!Array.isArray(legend)) return undefined;
  const bits = legend.map((name) => (MARKS as readonly Json[]).indexOf(name));
  if (bits.some((bit) => bit < 0)) return undefined;
  if (bits.every((bit, index) => bit === index)) return (mask) => mask;
  return (mask) => bits.reduce((ours, bit, index) => ((mask >>> index) & 1 ? ours | (1 << bit) : ours), 0);
}
