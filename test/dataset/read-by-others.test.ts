import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { exportDataset } from '../../src/dataset/export/export-dataset.ts';
import { MARKS } from '../../src/dataset/marks.ts';
import { readDataset } from '../../src/dataset/open-dataset.ts';
import { temporaryFolder } from '../../src/dataset/segments/segments.testing.ts';
import { madeUp, sourceOf } from '../../src/dataset/transitions.testing.ts';

/** The Python that has Debian's python3-h5py; another one on the path may not. */
const PYTHON = '/usr/bin/python3';
const SCRIPT = fileURLToPath(new URL('./read-with-h5py.py', import.meta.url));
const hasH5py = existsSync(PYTHON) && spawnSync(PYTHON, ['-c', 'import h5py']).status === 0;

const ROWS = 430;
const all = madeUp(ROWS, { task: 'standing-still', rate: 200 });

const python = (kind: string, path: string) =>
  JSON.parse(execFileSync(PYTHON, [SCRIPT, kind, path], { encoding: 'utf8' }));

const sha = ({ buffer, byteOffset, byteLength }: Float32Array | Uint8Array | Uint32Array): string =>
  createHash('sha256')
    .update(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength))
    .digest('hex');

describe.skipIf(!hasH5py)("Debian's h5py (package python3-h5py)", () => {
  it("finds in a D4RL file what H2O's and D4RL's loaders read, with equal values", async () => {
    const path = join(temporaryFolder(), 'standing-still.hdf5');
    await exportDataset(sourceOf(all, 100), 'd4rl', path);
    const found = python('d4rl', path);
    expect(found.shapes).toEqual({
      observations: [ROWS, 4],
      actions: [ROWS, 1],
      rewards: [ROWS, 1],
      next_observations: [ROWS, 4],
      terminals: [ROWS, 1],
    });
    expect(found.types).toEqual({
      observations: 'float32',
      actions: 'float32',
      rewards: 'float32',
      next_observations: 'float32',
      terminals: 'uint8',
      timeouts: 'uint8',
      'infos/marks': 'uint32',
    });
    expect(found.sha).toEqual({
      observations: sha(all.observations),
      actions: sha(all.actions),
      rewards: sha(all.rewards),
      next_observations: sha(all.nextObservations),
      terminals: sha(all.terminals),
      timeouts: sha(all.timeouts),
      'infos/marks': sha(all.marks ?? new Uint32Array()),
    });
    expect(found.indexable).toBe(true);
    // 9 episodes: 4 end with a fall, 5 by time-out, the last of them with the last row.
    expect(found.qlearning).toEqual({ rows: ROWS - 5, nextIsStored: ROWS - 5 - 4, terminals: 4 });
    expect(JSON.parse(found.attributes.provenance)).toEqual(all.provenance);
    expect(found.attributes).toMatchObject({ format: 'd4rl', task: 'standing-still', rate: 200 });
  });

  it("writes a file with bool flags, gzip and double precision, as D4RL's are, that is read", async () => {
    const path = join(temporaryFolder(), 'halfcheetah.hdf5');
    execFileSync(PYTHON, [fileURLToPath(new URL('./write-with-h5py.py', import.meta.url)), path]);
    const read = await readDataset(path);
    expect(read).toMatchObject({ count: 200, observationSize: 3, actionSize: 2, provenance: {} });
    expect(read.observations).toEqual(Float32Array.from({ length: 600 }, (_, at) => at / 8));
    expect(read.nextObservations).toEqual(Float32Array.from({ length: 600 }, (_, at) => (at + 3) / 8));
    expect(read.rewards).toEqual(Float32Array.from({ length: 200 }, (_, row) => row));
    expect([...read.terminals].flatMap((flag, row) => (flag === 1 ? [row] : []))).toEqual([120]);
    expect([...read.timeouts].flatMap((flag, row) => (flag === 1 ? [row] : []))).toEqual([60, 199]);
    expect(read.marks).toBeUndefined();
  });

  it("finds Minari's layout field by field", async () => {
    const path = join(temporaryFolder(), 'standing-v2');
    await exportDataset(sourceOf(all, 100), 'minari', path);
    const { metadata, spaces, episodes, groups } = python('minari', path);
    expect(metadata).toMatchObject({
      dataset_id: 'h2o-edge/standing-v2',
      data_format: 'hdf5',
      minari_version: '0.5.3',
      total_episodes: 9,
      total_steps: ROWS,
    });
    expect(spaces.action_space).toEqual({ type: 'Box', dtype: 'float32', shape: [1], low: [-1], high: [1] });
    expect(spaces.observation_space).toMatchObject({ type: 'Box', dtype: 'float32', shape: [4] });
    for (const [index, column] of [0, 1, 2, 3].entries()) {
      const values = [...all.observations, ...all.nextObservations].filter((_, at) => at % 4 === column);
      expect(spaces.observation_space.low[index]).toBe(Math.min(...values));
      expect(spaces.observation_space.high[index]).toBe(Math.max(...values));
    }
    expect(groups).toBe(9);
    for (const [number, episode] of episodes.entries()) {
      const steps = number < 8 ? 50 : 30;
      expect(episode).toMatchObject({
        id: number,
        total_steps: steps,
        shapes: {
          observations: [steps + 1, 4],
          actions: [steps, 1],
          rewards: [steps],
          terminations: [steps],
          truncations: [steps],
        },
        infos: { marks: [steps + 1] },
        ends: [number % 2 === 1, number % 2 === 0],
        endsBefore: 0,
      });
      const start = 50 * number;
      expect(episode.observations.slice(0, -1).flat()).toEqual([
        ...all.observations.subarray(4 * start, 4 * (start + steps)),
      ]);
      expect(episode.observations.at(-1)).toEqual([
        ...all.nextObservations.subarray(4 * (start + steps - 1), 4 * (start + steps)),
      ]);
    }
  });
});

describe("LeRobot's v3.0 layout", () => {
  let path: string;
  const json = (name: string) => JSON.parse(readFileSync(join(path, 'meta', name), 'utf8'));
  const parquet = async (name: string) => {
    const file = await asyncBufferFromFile(join(path, name));
    return { metadata: await parquetMetadataAsync(file), rows: await parquetReadObjects({ file }) };
  };

  it('has all that its loader looks for, field by field', async () => {
    path = join(temporaryFolder(), 'lerobot');
    await exportDataset(sourceOf(all, 100), 'lerobot', path);
    expect(
      readdirSync(path, { recursive: true })
        .map(String)
        .filter((name) => /\.\w+$/.test(name))
        .sort(),
    ).toEqual([
      'data/chunk-000/file-000.parquet',
      'meta/episodes/chunk-000/file-000.parquet',
      'meta/h2o-edge.json',
      'meta/info.json',
      'meta/stats.json',
      'meta/tasks.parquet',
    ]);

    const info = json('info.json');
    expect(info).toMatchObject({
      codebase_version: 'v3.0',
      fps: 200,
      total_episodes: 9,
      total_frames: ROWS,
      total_tasks: 1,
      chunks_size: 1000,
      data_files_size_in_mb: 100,
      data_path: 'data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet',
      video_path: null,
      splits: { train: '0:9' },
    });
    const one = (dtype: string) => ({ dtype, shape: [1], names: null });
    expect(info.features).toMatchObject({
      'observation.state': { dtype: 'float32', shape: [4] },
      action: { dtype: 'float32', shape: [1] },
      'next.reward': one('float32'),
      'next.done': one('bool'),
      timestamp: one('float32'),
      frame_index: one('int64'),
      episode_index: one('int64'),
      index: one('int64'),
      task_index: one('int64'),
    });

    const data = await parquet('data/chunk-000/file-000.parquet');
    // Every feature is a column, and every column a feature; a row group is an episode.
    expect(Object.keys(data.rows[0] ?? {})).toEqual(Object.keys(info.features));
    expect(data.metadata.row_groups.map((group) => Number(group.num_rows))).toEqual([
      50, 50, 50, 50, 50, 50, 50, 50, 30,
    ]);
    for (const [index, row] of data.rows.entries()) {
      expect(row).toMatchObject({
        'observation.state': [...all.observations.subarray(4 * index, 4 * index + 4)],
        // A feature of one number is a number.
        action: all.actions[index],
        'next.reward': all.rewards[index],
        'next.done': all.terminals[index] === 1 || all.timeouts[index] === 1,
        'next.terminated': all.terminals[index] === 1,
        timestamp: Math.fround((index % 50) / 200),
        frame_index: BigInt(index % 50),
        episode_index: BigInt(Math.floor(index / 50)),
        index: BigInt(index),
        task_index: 0n,
        marks: BigInt(all.marks?.[index] ?? 0),
      });
    }

    const tasks = await parquet('meta/tasks.parquet');
    expect(tasks.rows).toEqual([{ task_index: 0n, task: 'standing-still' }]);
    const pandas = JSON.parse(tasks.metadata.key_value_metadata?.find(({ key }) => key === 'pandas')?.value ?? '');
    expect(pandas).toMatchObject({
      index_columns: ['task'],
      columns: [
        { name: 'task_index', field_name: 'task_index', pandas_type: 'int64', numpy_type: 'int64' },
        { name: 'task', field_name: 'task', pandas_type: 'unicode', numpy_type: 'object' },
      ],
    });

    const episodes = await parquet('meta/episodes/chunk-000/file-000.parquet');
    expect(episodes.rows).toHaveLength(9);
    for (const [number, episode] of episodes.rows.entries()) {
      const length = number < 8 ? 50 : 30;
      expect(episode).toEqual({
        episode_index: BigInt(number),
        tasks: ['standing-still'],
        length: BigInt(length),
        'data/chunk_index': 0n,
        'data/file_index': 0n,
        dataset_from_index: BigInt(50 * number),
        dataset_to_index: BigInt(50 * number + length),
        'meta/episodes/chunk_index': 0n,
        'meta/episodes/file_index': 0n,
      });
    }

    const stats = json('stats.json');
    expect(Object.keys(stats)).toEqual(Object.keys(info.features));
    const mean = all.rewards.reduce((sum, value) => sum + value, 0) / ROWS;
    const variance = all.rewards.reduce((sum, value) => sum + (value - mean) ** 2, 0) / ROWS;
    expect(stats['next.reward'].mean[0]).toBeCloseTo(mean, 9);
    expect(stats['next.reward'].std[0]).toBeCloseTo(Math.sqrt(variance), 9);
    expect(stats['next.reward']).toMatchObject({
      count: [ROWS],
      min: [Math.min(...all.rewards)],
      max: [Math.max(...all.rewards)],
    });
    expect(json('h2o-edge.json')).toEqual({ provenance: all.provenance, marks: [...MARKS] });
  });

  it('wants a whole number of frames a second', async () => {
    const at = (rate: number | undefined, fps?: number) =>
      exportDataset(
        sourceOf({ ...all, provenance: rate === undefined ? {} : { rate } }),
        'lerobot',
        join(temporaryFolder(), 'x'),
        { fps },
      );
    await expect(at(undefined)).rejects.toMatchObject({ codeName: 'usage', remedy: expect.stringContaining('--fps') });
    await expect(at(200 / 3)).rejects.toMatchObject({ codeName: 'usage' });
    expect((await at(undefined, 100)).rows).toBe(ROWS);
  });
});
