import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ColumnSource, ParquetWriter } from 'hyparquet-writer';
import { EdgeError } from '../../errors.ts';
import { ColumnStats } from '../export/column-stats.ts';
import { EpisodeSplitter } from '../export/episode-splitter.ts';
import type { DatasetWriter } from '../export/writer.ts';
import { MARKS } from '../marks.ts';
import { rateOf, taskOf } from '../provenance.ts';
import type { TransitionSource } from '../source.ts';
import type { Provenance, Shape, Transitions } from '../transitions.ts';
import { COLUMN, columnsOf, type Feature, featuresOf } from './features.ts';
import { type Column, parquetWriter, schemaOf, writeParquet } from './parquet.ts';

/** LeRobot's own defaults. */
const CHUNKS_SIZE = 1000;
const DATA_FILE_MB = 100;

const numbered = (number: number): string => String(number).padStart(3, '0');
const fileName = (kind: string, number: number): string =>
  join(kind, `chunk-${numbered(Math.floor(number / CHUNKS_SIZE))}`, `file-${numbered(number % CHUNKS_SIZE)}.parquet`);

interface EpisodeEntry {
  readonly length: number;
  readonly from: number;
  readonly file: number;
}

/**
 * LeRobot's v3.0 layout: `data/…parquet` with a row group for each episode, `meta/info.json`, `meta/stats.json`,
 * `meta/tasks.parquet`, `meta/episodes/…parquet`. Beside what LeRobot defines there are columns that keep a transition
 * whole: the next observation, why an episode ended, marks.
 */
export class LeRobotWriter implements DatasetWriter {
  readonly #folder: string;
  readonly #fps: number;
  readonly #shape: Shape;
  readonly #features: Readonly<Record<string, Feature>>;
  readonly #columns: readonly Column[];
  readonly #stats: ReadonlyMap<string, ColumnStats>;
  readonly #splitter = new EpisodeSplitter();
  readonly #episodes: EpisodeEntry[] = [];
  #writer: ParquetWriter | undefined;
  #files = 0;
  #frames = 0;

  /** @throws EdgeError `usage` when the rate is not known or no whole number */
  static async create(path: string, source: TransitionSource, fps: number | undefined): Promise<LeRobotWriter> {
    const rate = rateOf(source.provenance) ?? fps;
    if (rate === undefined || !Number.isSafeInteger(rate)) {
      throw new EdgeError(
        'usage',
        rate === undefined
          ? `${source.path} does not say how many decisions it holds a second, and LeRobot wants to know`
          : `LeRobot knows only whole numbers of frames a second, not ${rate}`,
        rate === undefined ? 'say it with --fps' : 'export at another --rate, or in another format',
      );
    }
    await mkdir(join(path, 'meta'), { recursive: true });
    return new LeRobotWriter(path, source, rate);
  }

  private constructor(folder: string, { shape, provenance }: TransitionSource, fps: number) {
    this.#folder = folder;
    this.#fps = fps;
    this.#shape = shape;
    this.#features = featuresOf(shape, provenance);
    this.#columns = columnsOf(this.#features);
    this.#stats = new Map(
      Object.entries(this.#features).map(([name, feature]) => [name, new ColumnStats(feature.shape[0])]),
    );
  }

  async write(batch: Transitions): Promise<void> {
    for (const episode of this.#splitter.take(batch)) await this.#episode(episode);
  }

  async finish(provenance: Provenance): Promise<void> {
    if (this.#splitter.open) throw new Error('the last episode has no end');
    await this.#writer?.finish();
    const task = taskOf(provenance) ?? 'balance';
    const episodes = this.#episodes.length;
    const robot = typeof provenance.robotModel === 'string' ? provenance.robotModel : null;
    await this.#json('info.json', {
      codebase_version: 'v3.0',
      robot_type: robot,
      total_episodes: episodes,
      total_frames: this.#frames,
      total_tasks: 1,
      chunks_size: CHUNKS_SIZE,
      data_files_size_in_mb: DATA_FILE_MB,
      video_files_size_in_mb: 200,
      fps: this.#fps,
      splits: { train: `0:${episodes}` },
      data_path: 'data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet',
      video_path: null,
      features: this.#features,
    });
    await this.#json(
      'stats.json',
      Object.fromEntries(
        [...this.#stats].map(([name, { min, max, mean, std, count }]) => [
          name,
          { min: [...min], max: [...max], mean, std, count: [count] },
        ]),
      ),
    );
    // LeRobot puts up with files in meta that it does not know, not with keys in info.json.
    await this.#json('h2o-edge.json', { provenance, marks: MARKS });
    await this.#tasks(task);
    await this.#episodeTable(task);
  }

  abandon(): void {
    // Files are written whole, and closed after each piece.
  }

  async #episode(episode: Transitions): Promise<void> {
    this.#writer ??= await this.#nextFile();
    const data = this.#columnData(episode);
    const from = this.#frames;
    await this.#writer.write({
      columnData: [...data].map(([name, values]) => ({ name, data: values })),
      rowGroupSize: episode.count,
    });
    this.#episodes.push({ length: episode.count, from, file: this.#files - 1 });
    this.#frames += episode.count;
    if (this.#writer.writer.offset < DATA_FILE_MB * 2 ** 20) return;
    await this.#writer.finish();
    this.#writer = undefined;
  }

  async #nextFile(): Promise<ParquetWriter> {
    const { ParquetWriter, fileWriter } = await parquetWriter();
    const path = join(this.#folder, fileName('data', this.#files));
    await mkdir(dirname(path), { recursive: true });
    this.#files += 1;
    return new ParquetWriter({ writer: fileWriter(path), schema: schemaOf(this.#columns) });
  }

  #columnData(episode: Transitions): Map<string, ColumnSource['data']> {
    const { count, observationSize, actionSize, terminals, timeouts, marks } = episode;
    const index = Array.from({ length: count }, (_, row) => row);
    const vectors = (values: Float32Array, width: number): ColumnSource['data'] =>
      width === 1 ? values : index.map((row) => Array.from(values.subarray(row * width, (row + 1) * width)));
    const whole = (name: string, numbers: readonly number[]): [string, ColumnSource['data']] => {
      this.#stats.get(name)?.add(numbers);
      return [name, numbers.map(BigInt)];
    };
    const floats = (name: string, values: Float32Array, width: number): [string, ColumnSource['data']] => {
      this.#stats.get(name)?.add(values);
      return [name, vectors(values, width)];
    };
    const flags = (name: string, values: readonly boolean[]): [string, ColumnSource['data']] => {
      this.#stats.get(name)?.add(values.map(Number));
      return [name, [...values]];
    };
    const terminated = Array.from(terminals, Boolean);
    const truncated = Array.from(timeouts, Boolean);
    return new Map([
      floats(COLUMN.observation, episode.observations, observationSize),
      floats(COLUMN.action, episode.actions, actionSize),
      floats(COLUMN.reward, episode.rewards, 1),
      flags(
        COLUMN.done,
        index.map((row) => terminated[row] === true || truncated[row] === true),
      ),
      flags(COLUMN.terminated, terminated),
      flags(COLUMN.truncated, truncated),
      floats(COLUMN.nextObservation, episode.nextObservations, observationSize),
      ...(marks ? [whole(COLUMN.marks, Array.from(marks))] : []),
      floats(
        'timestamp',
        Float32Array.from(index, (row) => row / this.#fps),
        1,
      ),
      whole('frame_index', index),
      whole(
        'episode_index',
        index.map(() => this.#episodes.length),
      ),
      whole(
        'index',
        index.map((row) => this.#frames + row),
      ),
      whole(
        'task_index',
        index.map(() => 0),
      ),
    ]);
  }

  /** A pandas frame whose index is the task's name; that stands in the file's metadata. */
  async #tasks(task: string): Promise<void> {
    const column = (name: string, pandasType: string, numpyType: string) => ({
      name,
      field_name: name,
      pandas_type: pandasType,
      numpy_type: numpyType,
      metadata: null,
    });
    const pandas = {
      index_columns: ['task'],
      column_indexes: [
        { name: null, field_name: null, pandas_type: 'unicode', numpy_type: 'object', metadata: { encoding: 'UTF-8' } },
      ],
      columns: [column('task_index', 'int64', 'int64'), column('task', 'unicode', 'object')],
      attributes: {},
      creator: { library: 'h2o-edge', version: '1' },
      pandas_version: '2.2.0',
    };
    await writeParquet(
      join(this.#folder, 'meta', 'tasks.parquet'),
      [
        { name: 'task_index', type: 'INT64' },
        { name: 'task', type: 'STRING' },
      ],
      [[0n], [task]],
      [{ key: 'pandas', value: JSON.stringify(pandas) }],
    );
  }

  async #episodeTable(task: string): Promise<void> {
    const path = join(this.#folder, 'meta', fileName('episodes', 0));
    await mkdir(dirname(path), { recursive: true });
    const whole = (number: (episode: EpisodeEntry, index: number) => number) =>
      this.#episodes.map((episode, index) => BigInt(number(episode, index)));
    const columns: Array<[Column, ColumnSource['data']]> = [
      [{ name: 'episode_index', type: 'INT64' }, whole((_, index) => index)],
      [{ name: 'tasks', type: 'STRING', list: true }, this.#episodes.map(() => [task])],
      [{ name: 'length', type: 'INT64' }, whole(({ length }) => length)],
      [{ name: 'data/chunk_index', type: 'INT64' }, whole(({ file }) => Math.floor(file / CHUNKS_SIZE))],
      [{ name: 'data/file_index', type: 'INT64' }, whole(({ file }) => file % CHUNKS_SIZE)],
      [{ name: 'dataset_from_index', type: 'INT64' }, whole(({ from }) => from)],
      [{ name: 'dataset_to_index', type: 'INT64' }, whole(({ from, length }) => from + length)],
      [{ name: 'meta/episodes/chunk_index', type: 'INT64' }, whole(() => 0)],
      [{ name: 'meta/episodes/file_index', type: 'INT64' }, whole(() => 0)],
    ];
    await writeParquet(
      path,
      columns.map(([column]) => column),
      columns.map(([, data]) => data),
    );
  }

  async #json(name: string, value: object): Promise<void> {
    await writeFile(join(this.#folder, 'meta', name), `${JSON.stringify(value, null, 2)}\n`);
  }
}
