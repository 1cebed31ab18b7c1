import { access, mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { EdgeError, messageOf } from '../../errors.ts';
import { checkBatch } from '../check-batch.ts';
import { invalid } from '../invalid.ts';
import type { TransitionSource } from '../source.ts';
import { Digest } from './digest.ts';
import { type ExportFormat, FORMATS } from './formats.ts';

export interface ExportOptions {
  /** told after each batch that is written, and with each that is read back */
  readonly onProgress?: ((progress: ExportProgress) => void) | undefined;
  /** frames a second, for LeRobot, where the dataset does not say its rate */
  readonly fps?: number | undefined;
}

export interface ExportProgress {
  readonly stage: 'writing' | 'checking';
  readonly rows: number;
  readonly rowsAtMost: number;
}

export interface ExportReport {
  readonly path: string;
  readonly rows: number;
  readonly episodes: number;
  readonly falls: number;
  readonly bytes: number;
  readonly warnings: readonly string[];
}

/** What must stay free on the disk beyond the data [bytes]. */
const RESERVE = 1 << 20;

/**
 * Writes a dataset in one of the formats. It is written under another name, read back as a whole, compared bit by bit, and
 * only then gets its name: what stands there is complete and right. After an error nothing is left.
 * @throws EdgeError `datasetNotWritten`, and whatever the source throws
 */
export async function exportDataset(
  source: TransitionSource,
  format: ExportFormat,
  path: string,
  options: ExportOptions = {},
): Promise<ExportReport> {
  const { onProgress = () => {} } = options;
  const target = resolve(path);
  for (const ending of ['', ...FORMATS[format].besides]) await refuseExisting(`${target}${ending}`);
  const partial = `${target}.partial`;
  const { bytesPerRow, create, read, besides } = FORMATS[format];
  try {
    await mkdir(dirname(target), { recursive: true });
    await rm(partial, { recursive: true, force: true });
    // Of a recording it is only known how much it can be at most.
    const atMost = source.format === 'segments' ? 0 : source.rowsAtMost;
    await needRoom(dirname(target), atMost * bytesPerRow(source.shape));
    const writer = await create(partial, { source, name: basename(target), fps: options.fps });
    const written = new Digest();
    try {
      for await (const batch of source.batches()) {
        checkBatch(batch, source.path, written.rows);
        await needRoom(dirname(target), batch.count * bytesPerRow(source.shape));
        await writer.write(batch);
        written.add(batch);
        onProgress({ stage: 'writing', rows: written.rows, rowsAtMost: source.rowsAtMost });
      }
      if (written.rows === 0) throw nothing(source);
      await writer.finish(source.provenance);
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    await compare(
      () => read(partial),
      written,
      (rows) => onProgress({ stage: 'checking', rows, rowsAtMost: written.rows }),
    );
    const bytes = await syncAll(partial);
    for (const ending of besides) await rename(`${partial}${ending}`, `${target}${ending}`);
    await rename(partial, target);
    await syncOne(dirname(target));
    const { rows, episodes, falls } = written;
    return { path: target, rows, episodes, falls, bytes, warnings: source.warnings };
  } catch (error) {
    for (const left of partialPaths(format, path))
      await rm(left, { recursive: true, force: true }).catch(() => undefined);
    if (error instanceof EdgeError) throw error;
    throw notWritten(target, messageOf(error));
  }
}

const notWritten = (target: string, why: string): EdgeError =>
  new EdgeError(
    'datasetNotWritten',
    `${target} is not written: ${why.split('\n')[0]}`,
    'nothing was left there; make room or name another place, and export again',
  );

const nothing = ({ path, provenance }: TransitionSource): EdgeError => {
  const rows = provenance.rows === undefined ? '' : `: ${JSON.stringify(provenance.rows)}`;
  return invalid(`${path} holds no transition of that kind${rows}`, 'record more, or leave --only-clean out');
};

/** What an export that is under way has on the disk. */
export const partialPaths = (format: ExportFormat, path: string): string[] =>
  ['', ...FORMATS[format].besides].map((ending) => `${resolve(path)}.partial${ending}`);

/** @throws EdgeError `datasetNotWritten` when a folder exists and has something in it */
export const refuseUnlessEmpty = (folder: string): Promise<void> => refuseExisting(resolve(folder));

async function refuseExisting(target: string): Promise<void> {
  const exists = await access(target).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  if ((await stat(target)).isDirectory() && (await readdir(target)).length === 0) return;
  throw new EdgeError('datasetNotWritten', `${target} exists`, 'name another place, or remove it yourself');
}

async function needRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= bytes + RESERVE) return;
  throw new EdgeError(
    'datasetNotWritten',
    `the disk of ${folder} is full: ${free} bytes are free, ${bytes + RESERVE} are needed to go on`,
    'nothing was left there; make room or name another place, and export again',
  );
}

async function compare(
  open: () => Promise<TransitionSource>,
  written: Digest,
  onRows: (rows: number) => void,
): Promise<void> {
  const read = new Digest();
  let difference: string | undefined;
  try {
    for await (const batch of (await open()).batches()) {
      read.add(batch);
      onRows(read.rows);
    }
    difference = written.differenceTo(read);
  } catch (error) {
    difference = messageOf(error);
  }
  if (difference === undefined) return;
  throw new EdgeError(
    'datasetNotWritten',
    `what was written reads back otherwise: ${difference}`,
    'nothing was left there; the disk may be full or failing: check it, and export again',
  );
}

/** Everything under a path onto the medium. @returns its size [bytes] */
async function syncAll(path: string): Promise<number> {
  const { size } = await stat(path);
  if (!(await stat(path)).isDirectory()) {
    await syncOne(path);
    return size;
  }
  let bytes = 0;
  for (const name of await readdir(path)) bytes += await syncAll(join(path, name));
  await syncOne(path);
  return bytes;
}

async function syncOne(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
