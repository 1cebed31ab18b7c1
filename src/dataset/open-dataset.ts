import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { McapConstants } from '@mcap/core';
import { EdgeError, messageOf } from '../errors.ts';
import { isSegment } from '../recording/segment-name.ts';
import { openCsv } from './csv/csv-source.ts';
import { openD4rl } from './hdf5/d4rl-source.ts';
import { firstBytes, isHdf5, withHdf5 } from './hdf5/hdf5.ts';
import { openLeRobot } from './lerobot/lerobot-source.ts';
import { openLog } from './log/log-source.ts';
import { openMinari } from './minari/minari-source.ts';
import { onlyClean } from './only-clean.ts';
import { ofTask } from './provenance.ts';
import { openSegments, type SegmentOptions } from './segments/segment-source.ts';
import { collect, type DatasetFormat, type TransitionSource } from './source.ts';
import type { Transitions } from './transitions.ts';

/** How to read a dataset; `hold` and `rate` act on recordings alone. */
export type OpenOptions = SegmentOptions;

/** The file that `dataset import` and `dataset merge` put into their folder. */
export const DATASET_FILE = 'dataset.hdf5';

/**
 * Opens a dataset of any form that the program knows: a folder of recorded segments or one segment, a D4RL HDF5 file or
 * the folder that `dataset import` made, a Minari or LeRobot folder, a CSV file, a log of the authors' form.
 * @throws EdgeError `fileUnreadable`, `datasetInvalid`, `logInvalid`, `usage`
 */
export async function openDataset(path: string, options: OpenOptions = {}): Promise<TransitionSource> {
  const format = await formatOf(path);
  if (format === 'segments') return openSegments(path, options);
  if (options.hold !== undefined || options.rate !== undefined) {
    throw new EdgeError(
      'usage',
      `${path} is no recording, whose frames could be joined`,
      'leave --hold and --rate out; they act on folders of segments',
    );
  }
  const source = ofTask(await OPEN[format](path, options), options.task);
  return options.onlyClean ? onlyClean(source) : source;
}

/** Opens a dataset and reads all of it into memory. */
export const readDataset = async (path: string, options: OpenOptions = {}): Promise<Transitions> =>
  collect(await openDataset(path, options));

const OPEN: Readonly<
  Record<Exclude<DatasetFormat, 'segments'>, (path: string, options: OpenOptions) => Promise<TransitionSource>>
> = {
  d4rl: async (path) => openD4rl((await isFolder(path)) ? join(path, DATASET_FILE) : path),
  minari: async (path) => openMinari((await isFolder(path)) ? path : dirname(path)),
  lerobot: openLeRobot,
  csv: openCsv,
  log: openLog,
};

/**
 * What lies at a path, by its contents and not by its name's ending.
 * @throws EdgeError `fileUnreadable`, `datasetInvalid`
 */
export async function formatOf(path: string): Promise<DatasetFormat> {
  try {
    return (await isFolder(path)) ? await formatOfFolder(path) : await formatOfFile(path);
  } catch (error) {
    if (error instanceof EdgeError) throw error;
    throw new EdgeError('fileUnreadable', `cannot read ${path}: ${messageOf(error)}`, 'check the path');
  }
}

const isFolder = async (path: string): Promise<boolean> => (await stat(path)).isDirectory();

async function formatOfFolder(path: string): Promise<DatasetFormat> {
  const names = await readdir(path);
  const within = async (folder: string, name: string) => {
    if (!names.includes(folder)) return false;
    const inner = await readdir(join(path, folder)).catch((): string[] => []);
    return inner.includes(name);
  };
  const found: DatasetFormat[] = [];
  if (names.some(isSegment)) found.push('segments');
  if (names.includes(DATASET_FILE)) found.push('d4rl');
  if (names.includes('main_data.hdf5') || (await within('data', 'main_data.hdf5'))) found.push('minari');
  if (await within('meta', 'info.json')) found.push('lerobot');
  const [format, ...more] = found;
  if (format === undefined) throw noDataset(path);
  if (more.length === 0) return format;
  throw new EdgeError(
    'datasetInvalid',
    `${path} holds datasets of several forms: ${found.join(', ')}`,
    'name one of them',
  );
}

const MCAP_MAGIC = Buffer.from(McapConstants.MCAP_MAGIC);

async function formatOfFile(path: string): Promise<DatasetFormat> {
  if (isSegment(basename(path)) || (await firstBytes(path, MCAP_MAGIC.length)).equals(MCAP_MAGIC)) return 'segments';
  if (await isHdf5(path)) {
    const episodes = await withHdf5(path, (file) => file.keys().includes('episode_0'));
    return episodes ? 'minari' : 'd4rl';
  }
  const beginning = (await firstBytes(path, 65_536)).toString('utf8');
  const [line = ''] = beginning.split('\n');
  if (line.includes(',')) return 'csv';
  // A number says that it is meant to be a log; what is wrong with its lines is said by its reader.
  if (/^\s*([-+.\d]|nan|inf)/i.test(line)) return 'log';
  if (/\.(hdf5|h5)$/i.test(path)) return 'd4rl';
  throw noDataset(path);
}

const noDataset = (path: string): EdgeError =>
  new EdgeError(
    'datasetInvalid',
    `${path} is no dataset that this program knows`,
    'name a folder of segments, an HDF5 file, a Minari or LeRobot folder, a CSV file or a log',
  );
