import { Breaks, sound } from '../check-batch.ts';
import { invalid } from '../invalid.ts';
import { asProvenance, marksReader } from '../provenance.ts';
import { BATCH_ROWS, type TransitionSource } from '../source.ts';
import { allocate, type Provenance, type Shape, type Transitions } from '../transitions.ts';
import { arrayAt, type File, hdf5Error, jsonAttribute, openHdf5, readFlags, readRows, withHdf5 } from './hdf5.ts';

/**
 * A D4RL HDF5 file: ours, or one from elsewhere. Floats of double precision are rounded to single, bool and whole numbers
 * make flags; without `timeouts` an episode ends where the next row does not go on.
 * @throws EdgeError `datasetInvalid` naming the array and what is wrong with it
 */
export async function openD4rl(path: string): Promise<TransitionSource> {
  const { shape, rows, provenance, notes } = await withHdf5(path, (file) => {
    const arrays = arraysOf(path, file);
    const doubles = [arrays.observations, arrays.actions, arrays.rewards, arrays.nextObservations].some(
      ({ dataset }) => dataset.metadata.size === 8,
    );
    return {
      shape: {
        observationSize: arrays.observations.width,
        actionSize: arrays.actions.width,
        marked: arrays.marks !== undefined,
      } satisfies Shape,
      rows: arrays.observations.rows,
      provenance: asProvenance(jsonAttribute(file, 'provenance')),
      notes: [
        ...(doubles ? [`${path} holds double precision, which is rounded to single`] : []),
        ...(arrays.timeouts ? [] : [`${path} has no "timeouts": episodes end where the next row does not go on`]),
      ],
    };
  });
  if (rows === 0) throw invalid(`${path} holds no transition`, 'name another file');
  const source = {
    path,
    format: 'd4rl' as const,
    shape,
    rowsAtMost: rows,
    provenance,
    warnings: [...notes],
    async *batches(): AsyncGenerator<Transitions> {
      const breaks = new Breaks();
      yield* sound(read(path, shape, provenance), path, breaks);
      const warnings = breaks.added > 0 ? [`${breaks.added} episodes ended without a time-out and were given one`] : [];
      source.warnings = [...notes, ...warnings];
    },
  };
  return source;
}

function arraysOf(path: string, file: File) {
  const observations = arrayAt(path, file, { name: 'observations', kind: 'float' });
  const { rows, width } = observations;
  const keys = file.keys();
  const infos = keys.includes('infos') ? file.get('infos') : null;
  const marked = infos !== null && 'keys' in infos && infos.keys().includes('marks');
  return {
    observations,
    actions: arrayAt(path, file, { name: 'actions', kind: 'float', rows }),
    rewards: arrayAt(path, file, { name: 'rewards', kind: 'float', rows, width: 1 }),
    nextObservations: arrayAt(path, file, { name: 'next_observations', kind: 'float', rows, width }),
    terminals: arrayAt(path, file, { name: 'terminals', kind: 'flag', rows, width: 1 }),
    timeouts: keys.includes('timeouts')
      ? arrayAt(path, file, { name: 'timeouts', kind: 'flag', rows, width: 1 })
      : undefined,
    marks: marked ? arrayAt(path, file, { name: 'infos/marks', kind: 'bits', rows, width: 1 }) : undefined,
  };
}

async function* read(path: string, shape: Shape, provenance: Provenance): AsyncGenerator<Transitions> {
  const file = await openHdf5(path);
  try {
    const arrays = arraysOf(path, file);
    const { rows } = arrays.observations;
    const ours = arrays.marks && marksReader(jsonAttribute(arrays.marks.dataset, 'names'));
    if (arrays.marks && !ours) {
      throw invalid(
        `${path}: "infos/marks" has names that this program does not know`,
        'use the version that wrote it',
      );
    }
    for (let start = 0; start < rows; start += BATCH_ROWS) {
      const end = Math.min(rows, start + BATCH_ROWS);
      const batch = allocate(end - start, shape, provenance);
      batch.observations.set(readRows(arrays.observations, start, end));
      batch.actions.set(readRows(arrays.actions, start, end));
      batch.rewards.set(readRows(arrays.rewards, start, end));
      batch.nextObservations.set(readRows(arrays.nextObservations, start, end));
      batch.terminals.set(readFlags(path, arrays.terminals, 'terminals', start, end));
      if (arrays.timeouts) batch.timeouts.set(readFlags(path, arrays.timeouts, 'timeouts', start, end));
      if (arrays.marks && ours) {
        const marks = Uint32Array.from(readRows(arrays.marks, start, end), ours);
        batch.marks?.set(marks);
      }
      yield batch;
    }
  } catch (error) {
    throw hdf5Error(path, error);
  } finally {
    file.close();
  }
}
