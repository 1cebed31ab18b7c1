import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { Breaks, sound } from '../check-batch.ts';
import {
  arrayAt,
  type File,
  type Group,
  hdf5Error,
  jsonAttribute,
  openHdf5,
  readFlags,
  readRows,
  withHdf5,
} from '../hdf5/hdf5.ts';
import { invalid } from '../invalid.ts';
import { asProvenance, marksReader } from '../provenance.ts';
import type { TransitionSource } from '../source.ts';
import { allocate, type Json, type Provenance, type Shape, type Transitions } from '../transitions.ts';

const metadataSchema = z.object({
  total_episodes: z.number().int().min(0),
  total_steps: z.number().int().min(0),
  data_format: z.literal('hdf5').default('hdf5'),
  dataset_id: z.string().optional(),
});

/**
 * A folder in Minari's HDF5 layout.
 * @param path the folder that holds `data`, or `data` itself
 * @throws EdgeError `datasetInvalid` naming file, episode and array
 */
export async function openMinari(path: string): Promise<TransitionSource> {
  const folder = await dataFolder(path);
  const metadata = await metadataIn(folder);
  const provenance = asProvenance(await jsonIn(join(folder, 'provenance.json')));
  const file = join(folder, 'main_data.hdf5');
  const shape = await withHdf5(file, (hdf5) => {
    const episode = episodeOf(file, hdf5, 0);
    return {
      observationSize: episode.observations.width,
      actionSize: episode.actions.width,
      marked: episode.marks !== undefined,
    };
  });
  return {
    path,
    format: 'minari',
    shape,
    rowsAtMost: metadata.total_steps,
    provenance: Object.keys(provenance).length > 0 ? provenance : { source: metadata.dataset_id ?? 'Minari' },
    warnings: [],
    batches: () => sound(read(file, shape, metadata, provenance), path, new Breaks()),
  };
}

async function dataFolder(path: string): Promise<string> {
  const inner = join(path, 'data');
  return (await jsonIn(join(inner, 'metadata.json'))) === undefined ? path : inner;
}

async function metadataIn(folder: string) {
  const file = join(folder, 'metadata.json');
  const checked = metadataSchema.safeParse(await jsonIn(file));
  if (!checked.success) throw invalid(`${file}: ${z.prettifyError(checked.error)}`, 'export the dataset once more');
  if (checked.data.total_episodes === 0) throw invalid(`${file}: there is no episode`, 'name another dataset');
  return checked.data;
}

async function jsonIn(file: string): Promise<Json | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw invalid(`${file} is no JSON: ${messageOf(error)}`, 'it is damaged or cut off: export the dataset once more');
  }
}

/** The arrays of an episode, checked against each other. */
function episodeOf(path: string, file: File, episode: number) {
  const name = `episode_${episode}`;
  const group = file.keys().includes(name) ? (file.get(name) as Group) : undefined;
  if (group === undefined) throw invalid(`${path} has no group "${name}"`, 'episodes count from 0 without a gap');
  const where = `${path}, ${name}`;
  const actions = arrayAt(where, group, { name: 'actions', kind: 'float' });
  const steps = actions.rows;
  const infos = group.keys().includes('infos') ? group.get('infos') : null;
  const marked = infos !== null && 'keys' in infos && infos.keys().includes('marks');
  return {
    where,
    steps,
    actions,
    observations: arrayAt(where, group, { name: 'observations', kind: 'float', rows: steps + 1 }),
    rewards: arrayAt(where, group, { name: 'rewards', kind: 'float', rows: steps, width: 1 }),
    terminations: arrayAt(where, group, { name: 'terminations', kind: 'flag', rows: steps, width: 1 }),
    truncations: arrayAt(where, group, { name: 'truncations', kind: 'flag', rows: steps, width: 1 }),
    marks: marked ? arrayAt(where, group, { name: 'infos/marks', kind: 'bits', rows: steps + 1, width: 1 }) : undefined,
    legend: marked ? jsonAttribute(infos as Group, 'marks_names') : undefined,
  };
}

async function* read(
  path: string,
  shape: Shape,
  metadata: z.output<typeof metadataSchema>,
  provenance: Provenance,
): AsyncGenerator<Transitions> {
  const file = await openHdf5(path);
  const { observationSize, actionSize } = shape;
  let steps = 0;
  let ours: ((mask: number) => number) | undefined;
  try {
    for (let number = 0; number < metadata.total_episodes; number++) {
      const episode = episodeOf(path, file, number);
      const { where, steps: count } = episode;
      if (episode.observations.width !== observationSize || episode.actions.width !== actionSize) {
        throw invalid(`${where}: its observations or actions are wider than those of episode_0`, 'they have to agree');
      }
      if (number === 0) ours = marksReader(episode.legend);
      if (count === 0) continue;
      const batch = allocate(count, shape, provenance);
      const observations = Float32Array.from(readRows(episode.observations, 0, count + 1));
      batch.observations.set(observations.subarray(0, count * observationSize));
      batch.nextObservations.set(observations.subarray(observationSize));
      batch.actions.set(readRows(episode.actions, 0, count));
      batch.rewards.set(readRows(episode.rewards, 0, count));
      batch.terminals.set(readFlags(where, episode.terminations, 'terminations', 0, count));
      batch.timeouts.set(readFlags(where, episode.truncations, 'truncations', 0, count));
      if (batch.terminals[count - 1] !== 1) batch.timeouts[count - 1] = 1;
      if (shape.marked) {
        if (!episode.marks || !ours)
          throw invalid(`${where} has no marks that this program knows`, 'export it once more');
        const marks = readRows(episode.marks, 0, count + 1);
        batch.marks?.set(Uint32Array.from({ length: count }, (_, row) => ours?.(marks[row + 1] ?? 0) ?? 0));
      }
      steps += count;
      yield batch;
    }
  } catch (error) {
    throw hdf5Error(path, error);
  } finally {
    file.close();
  }
  if (steps !== metadata.total_steps) {
    throw invalid(
      `${path} holds ${steps} steps, its metadata.json says ${metadata.total_steps}`,
      'export it once more',
    );
  }
}
