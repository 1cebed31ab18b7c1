import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgeError, messageOf } from '../../errors.ts';
import { findConfig } from '../context.ts';

/** What commands on recordings have in common. */

/** The folder or file that is meant: the one that was named, else where this robot records. */
export const whereOf = (named: string | undefined, options: { config?: string }): string =>
  named ?? join(findConfig(options).stateDirectory, 'recordings');

/** @throws EdgeError `fileUnreadable` when there is nothing of that name */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw new EdgeError('fileUnreadable', `cannot read ${path}: ${messageOf(error)}`, 'name a segment or a folder');
  }
}

/** ISO 8601; a segment without messages has no time, and one with a broken clock none that can be written so. */
export function timeText(ns: bigint | undefined): string | undefined {
  const date = new Date(Number((ns ?? 0n) / 1_000_000n));
  return ns === undefined || Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
