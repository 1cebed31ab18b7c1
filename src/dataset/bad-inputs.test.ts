import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exportDataset } from './export/export-dataset.ts';
import type { ExportFormat } from './export/formats.ts';
import { createHdf5 } from './hdf5/hdf5.ts';
import { readDataset } from './open-dataset.ts';
import { temporaryFolder } from './segments/segments.testing.ts';
import { madeUp, sourceOf } from './transitions.testing.ts';

type Numbers = Float32Array | Float64Array | Uint8Array | Int32Array;
type Arrays = Record<string, { data: Numbers; shape: number[] }>;

const N = 6;
const filled = (length: number) => Float32Array.from({ length }, (_, index) => index / 4);

/** The arrays of a D4RL file of six rows, one episode. */
const good = (): Arrays => {
  const observations = filled(2 * N);
  const next = Float32Array.from([...observations.subarray(2), 9, 9]);
  return {
    observations: { data: observations, shape: [N, 2] },
    actions: { data: filled(N), shape: [N, 1] },
    rewards: { data: filled(N), shape: [N] },
    next_observations: { data: next, shape: [N, 2] },
    terminals: { data: new Uint8Array(N), shape: [N] },
    timeouts: { data: Uint8Array.from([0, 0, 0, 0, 0, 1]), shape: [N] },
  };
};

async function hdf5With(change: (arrays: Arrays) => void): Promise<string> {
  const arrays = good();
  change(arrays);
  const path = join(temporaryFolder(), 'file.hdf5');
  const file = await createHdf5(path);
  for (const [name, { data, shape }] of Object.entries(arrays)) file.create_dataset({ name, data, shape });
  file.close();
  return path;
}

const array = (arrays: Arrays, name: string) => {
  const found = arrays[name];
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};

/** Opening it fails with an error that says this, and what to do. */
const refuses = (path: string, message: RegExp) =>
  expect(readDataset(path)).rejects.toMatchObject({
    codeName: 'datasetInvalid',
    message: expect.stringMatching(message),
    remedy: expect.stringMatching(/./),
  });

describe('a D4RL file', () => {
  it('that is good is read', async () => {
    expect((await readDataset(await hdf5With(() => {}))).count).toBe(N);
  });

  const bad: Array<[string, (arrays: Arrays) => void, RegExp]> = [
    [
      'with a NaN',
      (a) => array(a, 'observations').data.fill(Number.NaN, 7, 8),
      /observations, row 3, column 1 is no finite number: NaN/,
    ],
    ['with an infinite reward', (a) => array(a, 'rewards').data.fill(1 / 0, 5), /rewards, row 5.*Infinity/],
    [
      'without next observations',
      (a) => delete a.next_observations,
      /has no array "next_observations"; it has actions, /,
    ],
    ['without terminals', (a) => delete a.terminals, /has no array "terminals"/],
    [
      'with too few rewards',
      (a) => Object.assign(array(a, 'rewards'), { data: filled(5), shape: [5] }),
      /"rewards" has shape \[5\], 5 rows instead of 6/,
    ],
    [
      'with narrow next observations',
      (a) => Object.assign(array(a, 'next_observations'), { data: filled(N), shape: [N, 1] }),
      /1 numbers instead of 2/,
    ],
    [
      'with whole numbers as observations',
      (a) => Object.assign(array(a, 'observations'), { data: new Int32Array(2 * N) }),
      /"observations" is of type .*/,
    ],
    [
      'with a cube of observations',
      (a) => Object.assign(array(a, 'observations'), { shape: [N, 1, 2] }),
      /shape \[6, 1, 2\]/,
    ],
    [
      'with a terminal of 2',
      (a) => array(a, 'terminals').data.fill(2, 4, 5),
      /"terminals", row 4 is neither 0 nor 1: 2/,
    ],
  ];
  it.each(bad)('%s is refused, and says where', async (_name, change, message) => {
    await refuses(await hdf5With(change), message);
  });

  it('without rows is refused', async () => {
    await refuses(
      await hdf5With((arrays) => {
        for (const one of Object.values(arrays)) {
          one.data = one.data.slice(0, 0);
          one.shape = [0, ...one.shape.slice(1)];
        }
      }),
      /holds no transition/,
    );
  });

  it('of double precision, without time-outs, is read; episodes end where they do not go on', async () => {
    const path = await hdf5With((arrays) => {
      delete arrays.timeouts;
      arrays.rewards = { data: Float64Array.from([0.1, 0, 0, 0, 0, 0]), shape: [N, 1] };
      array(arrays, 'next_observations').data.fill(7, 4, 6);
    });
    const all = await readDataset(path);
    expect([...all.timeouts]).toEqual([0, 0, 1, 0, 0, 1]);
    expect(all.rewards[0]).toBe(Math.fround(0.1));
  });
});

describe('a file that was cut off', () => {
  it.each(['d4rl', 'csv'] as const)('%s is refused wherever it is cut', async (format) => {
    const path = join(temporaryFolder(), 'data');
    await exportDataset(sourceOf(madeUp(300)), format, path);
    const { size } = await stat(path);
    const whole = readFileSync(path);
    for (const length of [size - 1, size - 3, Math.floor(0.7 * size), Math.floor(0.2 * size), 200]) {
      writeFileSync(path, whole.subarray(0, length));
      await expect(readDataset(path), `${length} of ${size} bytes`).rejects.toMatchObject({
        codeName: 'datasetInvalid',
      });
    }
  });

  it('lerobot and minari name it', async () => {
    const folder = temporaryFolder();
    for (const [format, file] of [
      ['lerobot', 'data/chunk-000/file-000.parquet'],
      ['minari', 'data/main_data.hdf5'],
    ] as Array<[ExportFormat, string]>) {
      const path = join(folder, format);
      await exportDataset(sourceOf(madeUp(300)), format, path);
      const { size } = await stat(join(path, file));
      truncateSync(join(path, file), Math.floor(0.6 * size));
      await refuses(path, new RegExp(file.split('/').at(-1) ?? ''));
    }
  });
});

describe('a folder of which something is missing', () => {
  it('is refused', async () => {
    const folder = temporaryFolder();
    await exportDataset(sourceOf(madeUp(120)), 'lerobot', join(folder, 'lerobot'));
    await exportDataset(sourceOf(madeUp(120)), 'minari', join(folder, 'minari'));
    const change = async (name: string, file: string, edit: (text: string) => string, message: RegExp) => {
      const copy = join(temporaryFolder(), 'copy');
      cpSync(join(folder, name), copy, { recursive: true });
      writeFileSync(join(copy, file), edit(readFileSync(join(copy, file), 'utf8')));
      await refuses(copy, message);
    };
    await change('lerobot', 'meta/info.json', (text) => text.replace('v3.0', 'v2.1'), /codebase_version/);
    await change('lerobot', 'meta/info.json', (text) => text.slice(0, 90), /info.json is no JSON/);
    await change(
      'lerobot',
      'meta/info.json',
      (text) => text.replace('"next.reward"', '"reward"'),
      /no feature "next.reward"/,
    );
    await change(
      'lerobot',
      'meta/info.json',
      (text) => text.replace('"total_frames": 120', '"total_frames": 121'),
      /120 frames, its info.json says 121/,
    );
    await change(
      'minari',
      'data/metadata.json',
      (text) => text.replace('"total_episodes": 3', '"total_episodes": 4'),
      /no group "episode_3"/,
    );
    await change(
      'minari',
      'data/metadata.json',
      (text) => text.replace('"total_episodes": 3', '"total_episodes": 2'),
      /100 steps, its metadata.json says 120/,
    );
    rmSync(join(folder, 'minari', 'data', 'metadata.json'));
    await refuses(join(folder, 'minari'), /metadata.json/);
  });
});

describe('a CSV file', () => {
  const HEADER = 'observation_x,action_t,reward,next_observation_x,terminal,timeout';
  const csv = (...lines: string[]) => {
    const path = join(temporaryFolder(), 'data.csv');
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  };

  it('from elsewhere is read, in any order of columns', async () => {
    const path = csv(
      'timeout,more,observation_x,action_t,reward,next_observation_x,terminal',
      '0,hello,1,0.5,2,3,0',
      '1,,3,0,1,2,0',
    );
    expect(await readDataset(path)).toMatchObject({ count: 2, observations: Float32Array.of(1, 3), provenance: {} });
  });

  it.each([
    ['a NaN', [HEADER, '1,0,2,3,0,0', '3,0,nan,4,0,1'], /data\.csv:3: reward is no finite number.*"nan"/],
    ['an empty field', [HEADER, '1,,2,3,0,1'], /data\.csv:2: action_t is no finite number/],
    ['a number beyond single precision', [HEADER, '1,0,1e39,3,0,1'], /data\.csv:2: reward/],
    ['a column too few', [HEADER, '1,0,2,3,0'], /data\.csv:2: 5 columns instead of 6/],
    ['a flag of 2', [HEADER, '1,0,2,3,2,0'], /data\.csv:2: terminal is neither 0 nor 1: "2"/],
    ['no rewards', [HEADER.replace('reward', 'r'), '1,0,2,3,0,1'], /data\.csv:1: there is no column "reward"/],
    ['no actions', [HEADER.replace('action_t', 't'), '1,0,2,3,0,1'], /data\.csv:1: there is no column action_/],
    [
      'another next observation',
      [HEADER.replace('next_observation_x', 'next_observation_y'), '1,0,2,3,0,1'],
      /next_observation_/,
    ],
    ['a column twice', [`${HEADER},reward`, '1,0,2,3,0,1,2'], /"reward" is there twice/],
    ['an unknown mark', [`${HEADER},marks`, '1,0,2,3,0,1,slew+dirty'], /data\.csv:2: there is no mark "dirty"/],
    ['no rows', [HEADER], /holds no transition/],
  ])('with %s is refused, and says in which line', async (_name, lines, message) => {
    await refuses(csv(...lines), message);
  });
});

describe('what is no dataset at all', () => {
  it('is refused', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'notes.txt'), 'Once upon a time\n');
    await refuses(join(folder, 'notes.txt'), /is no dataset that this program knows/);
    await refuses(folder, /is no dataset that this program knows/);
    writeFileSync(join(folder, 'empty.hdf5'), '');
    await refuses(join(folder, 'empty.hdf5'), /no HDF5 file/);
  });
});
