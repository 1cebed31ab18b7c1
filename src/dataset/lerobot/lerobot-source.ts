import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { EdgeError, messageOf } from '../../errors.ts';
import { BatchWriter, type Transition } from '../batch-writer.ts';
import { Breaks, sound } from '../check-batch.ts';
import { invalid } from '../invalid.ts';
import { marksReader } from '../provenance.ts';
import { BATCH_ROWS, type TransitionSource } from '../source.ts';
import type { Provenance, Shape, Transitions } from '../transitions.ts';
import { COLUMN } from './features.ts';
import { parquetReader } from './parquet.ts';

const featureSchema = z.object({ dtype: z.string(), shape: z.array(z.number().int()) });
const infoSchema = z.object({
  codebase_version: z.string().startsWith('v3.', { error: 'this program reads version v3.x' }),
  fps: z.number().positive(),
  total_episodes: z.number().int(),
  total_frames: z.number().int(),
  robot_type: z.string().nullish(),
  features: z.record(z.string(), featureSchema),
});
type Info = z.output<typeof infoSchema>;
const ownSchema = z.object({ provenance: z.record(z.string(), z.json()), marks: z.array(z.string()) });

/**
 * A folder in LeRobot's v3.0 layout: ours, or one from elsewhere that has rewards. There the next observation is that of
 * the next frame, so the last frame of each episode goes; it ends by time-out, since `next.done` does not say why.
 * @throws EdgeError `datasetInvalid` naming file, column and row
 */
export async function openLeRobot(path: string): Promise<TransitionSource> {
  const info = await jsonFile(join(path, 'meta', 'info.json'), infoSchema);
  if (info === undefined) throw invalid(`${path} has no meta/info.json`, 'name the folder that holds meta and data');
  const own = await jsonFile(join(path, 'meta', 'h2o-edge.json'), ownSchema);
  const width = (name: string) => {
    const feature = info.features[name];
    if (feature?.dtype === 'float32' && feature.shape.length === 1 && feature.shape[0]) return feature.shape[0];
    throw invalid(
      `${path}: meta/info.json has no feature "${name}" of float32 numbers; it has ${Object.keys(info.features).join(', ')}`,
      `a dataset needs ${COLUMN.observation}, ${COLUMN.action} and ${COLUMN.reward}`,
    );
  };
  width(COLUMN.reward);
  const marked = info.features[COLUMN.marks] !== undefined;
  const ours = marksReader(own?.marks);
  if (marked && !ours)
    throw invalid(`${path}: it has marks that this program does not know`, 'use the version that wrote it');
  const shape: Shape = { observationSize: width(COLUMN.observation), actionSize: width(COLUMN.action), marked };
  const provenance: Provenance = own?.provenance ?? {
    rate: info.fps,
    source: 'LeRobot',
    ...(info.robot_type && { robotModel: info.robot_type }),
  };
  const whole = info.features[COLUMN.nextObservation] !== undefined && info.features[COLUMN.terminated] !== undefined;
  return {
    path,
    format: 'lerobot',
    shape,
    rowsAtMost: info.total_frames,
    provenance,
    warnings: whole ? [] : [`${path} has no next observations: the last frame of each episode is left out`],
    batches: () => sound(read(path, info, shape, whole, ours ?? ((mask) => mask)), path, new Breaks()),
  };
}

async function jsonFile<T>(file: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw invalid(`${file} is no JSON: ${messageOf(error)}`, 'it is damaged or cut off: get the dataset once more');
  }
  const checked = schema.safeParse(json);
  if (checked.success) return checked.data;
  throw invalid(`${file}: ${z.prettifyError(checked.error)}`, 'get the dataset once more, or export it anew');
}

async function* read(
  path: string,
  info: Info,
  shape: Shape,
  whole: boolean,
  ours: (mask: number) => number,
): AsyncGenerator<Transitions> {
  let frames = 0;
  let pending: Frame | undefined;
  const writer = new BatchWriter(shape);
  for (const file of await dataFiles(path)) {
    for await (const row of framesOf(file)) {
      const where = `${file}, row ${row.number}`;
      const frame = frameOf(row.values, where, shape, whole, ours);
      frames += 1;
      if (whole) {
        const batch = writer.append(frame);
        if (batch) yield batch;
        continue;
      }
      if (pending && pending.episode === frame.episode) {
        const batch = writer.append({ ...pending, nextObservation: frame.observation });
        if (batch) yield batch;
      } else writer.break();
      pending = frame;
    }
  }
  const rest = writer.end();
  if (rest) yield rest;
  if (frames !== info.total_frames) {
    throw invalid(
      `${path} holds ${frames} frames, its info.json says ${info.total_frames}`,
      'get the dataset once more',
    );
  }
}

async function dataFiles(path: string): Promise<string[]> {
  const folder = join(path, 'data');
  const names = await readdir(folder, { recursive: true }).catch((error) => {
    throw invalid(`${path} has no folder data: ${messageOf(error)}`, 'get the dataset once more');
  });
  return names
    .filter((name) => name.endsWith('.parquet'))
    .sort()
    .map((name) => join(folder, name));
}

async function* framesOf(file: string): AsyncGenerator<{ number: number; values: Record<string, unknown> }> {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await parquetReader();
  try {
    const buffer = await asyncBufferFromFile(file);
    const metadata = await parquetMetadataAsync(buffer);
    const rows = Number(metadata.num_rows);
    for (let start = 0; start < rows; ) {
      // Whole row groups, so that none is decoded twice.
      const end = endOfGroups(
        metadata.row_groups.map((group) => Number(group.num_rows)),
        start,
      );
      const objects = await parquetReadObjects({ file: buffer, metadata, rowStart: start, rowEnd: end });
      for (const [index, values] of objects.entries()) yield { number: start + index, values };
      start = end;
    }
  } catch (error) {
    if (error instanceof EdgeError) throw error;
    throw invalid(`${file} is no Parquet file that can be read: ${messageOf(error)}`, 'it is damaged or cut off');
  }
}

function endOfGroups(sizes: readonly number[], start: number): number {
  let end = 0;
  for (const size of sizes) {
    end += size;
    if (end > start && end - start >= BATCH_ROWS) return end;
  }
  return end;
}

interface Frame extends Transition {
  readonly episode: number;
}

function frameOf(
  values: Readonly<Record<string, unknown>>,
  where: string,
  shape: Shape,
  whole: boolean,
  ours: (mask: number) => number,
): Frame {
  const vector = (name: string, width: number): number[] => {
    const value = values[name];
    const list = Array.isArray(value) || ArrayBuffer.isView(value) ? Array.from(value as ArrayLike<unknown>) : [value];
    if (list.length === width && list.every((number) => typeof number === 'number')) return list as number[];
    throw invalid(`${where}: "${name}" is not ${width} numbers: ${JSON.stringify(value)}`, 'get the dataset once more');
  };
  const whole64 = (name: string): number => {
    const value = values[name];
    if (typeof value === 'bigint' || typeof value === 'number') return Number(value);
    throw invalid(`${where}: "${name}" is no whole number: ${String(value)}`, 'get the dataset once more');
  };
  const flag = (name: string): boolean => {
    const value = values[name];
    if (typeof value === 'boolean') return value;
    throw invalid(`${where}: "${name}" is neither true nor false: ${String(value)}`, 'get the dataset once more');
  };
  return {
    episode: whole64('episode_index'),
    observation: vector(COLUMN.observation, shape.observationSize),
    action: vector(COLUMN.action, shape.actionSize),
    reward: vector(COLUMN.reward, 1)[0] ?? 0,
    nextObservation: whole ? vector(COLUMN.nextObservation, shape.observationSize) : [],
    terminal: whole && flag(COLUMN.terminated),
    timeout: whole && flag(COLUMN.truncated),
    marks: shape.marked ? ours(whole64(COLUMN.marks)) : 0,
  };
}
