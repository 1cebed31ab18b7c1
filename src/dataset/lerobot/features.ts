import { namesOf } from '../provenance.ts';
import type { Provenance, Shape } from '../transitions.ts';
import type { Column } from './parquet.ts';

/** A feature in `meta/info.json`. */
export interface Feature {
  readonly dtype: 'float32' | 'int64' | 'bool';
  readonly shape: readonly [number];
  readonly names: readonly string[] | null;
}

/** Names of the columns that hold a transition; those with `next.` are ours beside LeRobot's own `next.reward`, `next.done`. */
export const COLUMN = {
  observation: 'observation.state',
  action: 'action',
  reward: 'next.reward',
  done: 'next.done',
  terminated: 'next.terminated',
  truncated: 'next.truncated',
  nextObservation: 'next.observation.state',
  marks: 'marks',
} as const;

const one = (dtype: Feature['dtype']): Feature => ({ dtype, shape: [1], names: null });

/** Every feature of a dataset, in the order of its columns. The last five are those that LeRobot asks of every dataset. */
export function featuresOf(shape: Shape, provenance: Provenance): Record<string, Feature> {
  const { observationSize, actionSize, marked } = shape;
  const names = namesOf(provenance, 'observationNames', observationSize);
  return {
    [COLUMN.observation]: { dtype: 'float32', shape: [observationSize], names },
    [COLUMN.action]: {
      dtype: 'float32',
      shape: [actionSize],
      names: namesOf(provenance, 'actionNames', actionSize),
    },
    [COLUMN.reward]: one('float32'),
    [COLUMN.done]: one('bool'),
    [COLUMN.terminated]: one('bool'),
    [COLUMN.truncated]: one('bool'),
    [COLUMN.nextObservation]: { dtype: 'float32', shape: [observationSize], names },
    ...(marked && { [COLUMN.marks]: one('int64') }),
    timestamp: one('float32'),
    frame_index: one('int64'),
    episode_index: one('int64'),
    index: one('int64'),
    task_index: one('int64'),
  };
}

const TYPE = { float32: 'FLOAT', int64: 'INT64', bool: 'BOOLEAN' } as const;

/** LeRobot keeps a feature of one number as a number, not as a list of one. */
export const columnsOf = (features: Readonly<Record<string, Feature>>): Column[] =>
  Object.entries(features).map(([name, { dtype, shape }]) => ({ name, type: TYPE[dtype], list: shape[0] > 1 }));
