import { EdgeError } from '../errors.ts';
import { Breaks, sound } from './check-batch.ts';
import type { TransitionSource } from './source.ts';
import type { Json, Provenance, Shape, Transitions } from './transitions.ts';

/** What datasets must agree on to be one; where one of them says nothing, the others are believed. */
const AGREED = ['task', 'rate', 'torqueScale'] as const;

/**
 * Several datasets as one, one after the other; each ends its last episode.
 * @throws EdgeError `usage` when their sizes, task, rate or torque scale differ
 */
export function mergeSources(sources: readonly TransitionSource[]): TransitionSource {
  const [first, ...others] = sources;
  if (first === undefined || others.length === 0) {
    throw new EdgeError('usage', 'there is nothing to merge', 'name two datasets or more; `dataset import` takes one');
  }
  for (const other of others) {
    for (const size of ['observationSize', 'actionSize'] as const) {
      if (first.shape[size] !== other.shape[size])
        throw differ(first, other, size, first.shape[size], other.shape[size]);
    }
  }
  for (const key of AGREED) {
    const said = sources.filter(({ provenance }) => provenance[key] !== undefined);
    const [one, ...rest] = said;
    const another = rest.find(({ provenance }) => provenance[key] !== one?.provenance[key]);
    if (one && another) throw differ(one, another, key, one.provenance[key], another.provenance[key]);
  }
  const marked = sources.every(({ shape }) => shape.marked);
  const unmarked = sources.filter(({ shape }) => !shape.marked).map(({ path }) => path);
  const shape: Shape = { ...first.shape, marked };
  const breaks = new Breaks();
  return {
    path: sources.map(({ path }) => path).join(', '),
    format: 'd4rl',
    shape,
    rowsAtMost: sources.reduce((sum, { rowsAtMost }) => sum + rowsAtMost, 0),
    get provenance(): Provenance {
      const agreed = AGREED.flatMap((key): Array<[string, Json]> => {
        const value = sources.find(({ provenance }) => provenance[key] !== undefined)?.provenance[key];
        return value === undefined ? [] : [[key, value]];
      });
      const names = ['observationNames', 'actionNames'].flatMap((key): Array<[string, Json]> => {
        const value = first.provenance[key];
        return value === undefined ? [] : [[key, value]];
      });
      const parts = sources.map(({ path, provenance }) => ({ path, ...provenance }));
      return { ...Object.fromEntries([...agreed, ...names]), source: 'merged', parts };
    },
    get warnings() {
      const lost = marked || unmarked.length === sources.length ? [] : [`no marks: ${unmarked.join(', ')} has none`];
      return [...sources.flatMap(({ warnings }) => warnings), ...lost];
    },
    batches: () => sound(chained(sources, marked), 'merged', breaks),
  };
}

async function* chained(sources: readonly TransitionSource[], marked: boolean): AsyncGenerator<Transitions> {
  for (const source of sources) {
    // Each source ends with the end of an episode, so nothing goes on from one to the next.
    for await (const batch of source.batches()) yield marked ? batch : { ...batch, marks: undefined };
  }
}

const differ = (a: TransitionSource, b: TransitionSource, what: string, left: unknown, right: unknown): EdgeError =>
  new EdgeError(
    'usage',
    `${a.path} and ${b.path} do not fit together: ${what} is ${String(left)} here and ${String(right)} there`,
    'merge only datasets of one task, robot and rate',
  );
