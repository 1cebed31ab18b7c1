import { readdir, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { EdgeError, messageOf } from '../errors.ts';
import { isSegment } from '../recording/segment-name.ts';
import { openLog } from './log/log-source.ts';
import { onlyClean } from './only-clean.ts';
import { openSegments, type SegmentOptions } from './segments/segment-source.ts';
import { collect, type TransitionSource } from './source.ts';
import type { Transitions } from './transitions.ts';

/** How to read a dataset; all but `task` acts on recordings alone. */
export type OpenOptions = SegmentOptions;

/**
 * Opens a dataset of any form that the program knows: a folder of recorded segments or one segment, a D4RL HDF5 file or
 * what `dataset import` made, a Minari or LeRobot folder, a CSV file, a log of the authors' form.
 * @throws EdgeError `fileUnreadable`, `datasetInvalid`, `usage`
 */
export async function openDataset(path: string, options: OpenOptions = {}): Promise<TransitionSource> {
  const names = await namesAt(path);
  if (names.some(isSegment)) return openSegments(path, options);
  if (options.hold !== undefined || options.rate !== undefined) {
    throw new EdgeError(
      'usage',
      `${path} is no recording, whose frames could be joined`,
      'leave --hold and --rate out; they act on folders of segments',
    );
  }
  const source = await openLog(path, options);
  return options.onlyClean ? onlyClean(source) : source;
}

/** Opens a dataset and reads all of it into memory. */
export const readDataset = async (path: string, options: OpenOptions = {}): Promise<Transitions> =>
  collect(await openDataset(path, options));

/** What lies in a folder; a file's own name. */
async function namesAt(path: string): Promise<string[]> {
  try {
    return (await stat(path)).isDirectory() ? await readdir(path) : [basename(path)];
  } catch (error) {
    throw new EdgeError('fileUnreadable', `cannot read ${path}: ${messageOf(error)}`, 'check the path');
  }
}
