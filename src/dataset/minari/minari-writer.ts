import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ColumnStats } from '../export/column-stats.ts';
import { EpisodeSplitter } from '../export/episode-splitter.ts';
import type { DatasetWriter } from '../export/writer.ts';
import { createHdf5, type File, type Group } from '../hdf5/hdf5.ts';
import { MARKS } from '../marks.ts';
import { taskOf } from '../provenance.ts';
import type { Provenance, Shape, Transitions } from '../transitions.ts';

/** The version of Minari whose layout this is; it refuses others than it knows. */
const MINARI_VERSION = '0.5.3';

/**
 * Minari's HDF5 layout: `data/metadata.json` and `data/main_data.hdf5` with a group for each episode, whose observations
 * are one more than its actions. The folder belongs at `$MINARI_DATASETS_PATH/h2o-edge/<name>-v0`, under the name of its
 * `dataset_id`.
 */
export class MinariWriter implements DatasetWriter {
  readonly #folder: string;
  readonly #file: File;
  readonly #id: string;
  readonly #splitter = new EpisodeSplitter();
  readonly #observations: ColumnStats;
  readonly #actions: ColumnStats;
  #episodes = 0;
  #steps = 0;
  #bytes = 0;

  static async create(path: string, shape: Shape, name: string): Promise<MinariWriter> {
    const folder = join(path, 'data');
    await mkdir(folder, { recursive: true });
    return new MinariWriter(folder, await createHdf5(join(folder, 'main_data.hdf5')), shape, name);
  }

  private constructor(folder: string, file: File, shape: Shape, name: string) {
    this.#folder = folder;
    this.#file = file;
    const plain = name.replace(/[^A-Za-z0-9_-]+/g, '-').replace(/^-+|-+$/g, '') || 'dataset';
    this.#id = `h2o-edge/${/-v\d+$/.test(plain) ? plain : `${plain}-v0`}`;
    this.#observations = new ColumnStats(shape.observationSize);
    this.#actions = new ColumnStats(shape.actionSize);
  }

  write(batch: Transitions): void {
    for (const episode of this.#splitter.take(batch)) this.#episode(episode);
    this.#file.flush();
  }

  async finish(provenance: Provenance): Promise<void> {
    if (this.#splitter.open) throw new Error('the last episode has no end');
    this.#file.flush();
    this.#file.close();
    const metadata = {
      dataset_id: this.#id,
      data_format: 'hdf5',
      minari_version: MINARI_VERSION,
      total_episodes: this.#episodes,
      total_steps: this.#steps,
      observation_space: this.#space(this.#observations),
      action_space: this.#space(this.#actions, 1),
      dataset_size: Math.round(this.#bytes / 1e5) / 10,
      algorithm_name: listText(provenance.controllers) ?? 'unknown',
      author: 'h2o-edge',
      description: `${taskOf(provenance) ?? 'transitions'} of a balancing robot; where it comes from: provenance.json`,
    };
    await writeFile(join(this.#folder, 'metadata.json'), `${JSON.stringify(metadata, null, 2)}\n`);
    await writeFile(join(this.#folder, 'provenance.json'), `${JSON.stringify(provenance, null, 2)}\n`);
  }

  abandon(): void {
    try {
      this.#file.close();
    } catch {
      // What cannot be closed is removed all the same.
    }
  }

  #episode(episode: Transitions): void {
    const { count, observationSize, actionSize, observations, nextObservations, marks } = episode;
    const group = this.#file.create_group(`episode_${this.#episodes}`);
    integer(group, 'id', this.#episodes);
    integer(group, 'total_steps', count);
    const all = new Float32Array((count + 1) * observationSize);
    all.set(observations);
    all.set(nextObservations.subarray((count - 1) * observationSize), count * observationSize);
    const array = (name: string, data: Float32Array | Uint8Array, dtype: string, shape: number[]) =>
      group.create_dataset({ name, data, dtype, shape });
    array('observations', all, '<f', [count + 1, observationSize]);
    array('actions', episode.actions.slice(), '<f', [count, actionSize]);
    array('rewards', episode.rewards.slice(), '<f', [count]);
    array('terminations', episode.terminals.slice(), '<B', [count]);
    array('truncations', episode.timeouts.slice(), '<B', [count]);
    if (marks) this.#marks(group, marks);
    this.#observations.add(all);
    this.#actions.add(episode.actions);
    this.#episodes += 1;
    this.#steps += count;
    this.#bytes += 4 * (all.length + episode.actions.length + count) + 2 * count;
  }

  /** Infos have one row more than actions: Minari's own collector begins with what `reset` says. */
  #marks(group: Group, marks: Uint32Array): void {
    const data = new Uint32Array(marks.length + 1);
    data.set(marks, 1);
    const infos = group.create_group('infos');
    infos.create_dataset({ name: 'marks', data, dtype: '<I', shape: [data.length] });
    if (this.#episodes === 0) infos.create_attribute('marks_names', JSON.stringify(MARKS));
  }

  /** A gymnasium Box as Minari writes it, with the bounds that the data keep to, or wider ones. */
  #space(stats: ColumnStats, bound?: number): string {
    const wide = bound !== undefined && [...stats.min, ...stats.max].every((value) => Math.abs(value) <= bound);
    const low = wide ? [...stats.min].map(() => -bound) : [...stats.min];
    const high = wide ? [...stats.max].map(() => bound) : [...stats.max];
    return JSON.stringify({ type: 'Box', dtype: 'float32', shape: [stats.width], low, high });
  }
}

function integer(group: Group, name: string, value: number): void {
  group.create_attribute(name, value, [], '<i');
}

const listText = (list: Provenance[string] | undefined): string | undefined =>
  Array.isArray(list) && list.length > 0 ? list.map(String).join(', ') : undefined;
