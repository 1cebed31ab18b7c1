import { open } from 'node:fs/promises';
import type { Dataset, File, Group } from 'h5wasm';
import { EdgeError, messageOf } from '../../errors.ts';
import { invalid, missing } from '../invalid.ts';
import type { Json } from '../transitions.ts';

export type { Dataset, File, Group } from 'h5wasm';

type Library = typeof import('h5wasm/node');

let loaded: Promise<Library> | undefined;

/**
 * The HDF5 library, loaded when it is first wanted. It reports errors on stderr and goes on unless it is told to throw
 * (h5wasm 0.10.3: a full disk is otherwise written to without a word).
 */
function library(): Promise<Library> {
  loaded ??= import('h5wasm/node')
    .then(async (h5wasm) => {
      const { activate_throwing_error_handler: throwErrors } = await h5wasm.ready;
      throwErrors();
      return h5wasm;
    })
    .catch((error) => {
      loaded = undefined;
      throw missing('h5wasm', error);
    });
  return loaded;
}

/** A new HDF5 file. */
export async function createHdf5(path: string): Promise<File> {
  const { File } = await library();
  return new File(path, 'w');
}

const MAGIC = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');

/** Whether a file begins as HDF5 files do. */
export const isHdf5 = async (path: string): Promise<boolean> => (await firstBytes(path, MAGIC.length)).equals(MAGIC);

/** The beginning of a file; shorter if the file is. */
export async function firstBytes(path: string, length: number): Promise<Buffer> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/**
 * Opens an HDF5 file, and closes it when `use` is done.
 * @throws EdgeError `datasetInvalid` when it is damaged or cut off
 */
export async function withHdf5<T>(path: string, use: (file: File) => T): Promise<T> {
  const file = await openHdf5(path);
  try {
    return use(file);
  } catch (error) {
    throw hdf5Error(path, error);
  } finally {
    file.close();
  }
}

/** As `withHdf5`, for who closes it himself. */
export async function openHdf5(path: string): Promise<File> {
  const { File } = await library();
  try {
    return new File(path, 'r');
  } catch (error) {
    throw hdf5Error(path, error);
  }
}

/** What HDF5 says is a page; its last lines name the cause. */
export function hdf5Error(path: string, error: unknown): Error {
  if (error instanceof EdgeError) return error;
  const text = messageOf(error);
  const causes = [...text.matchAll(/#\d+: \S+ line \d+ in \w+\(\): (.+)/g)].map(([, cause]) => cause);
  return invalid(
    `${path} is no HDF5 file that can be read: ${causes.at(-1) ?? text.split('\n')[0]}`,
    'it is damaged, cut off or still being written; get it once more, or export it anew',
  );
}

const NUMERIC = { integer: 0, float: 1, enumeration: 8 } as const;

/** What an array of a file has to be. */
export interface ArrayWanted {
  /** path within the file */
  readonly name: string;
  readonly kind: 'float' | 'flag' | 'bits';
  /** numbers in a row; 1 allows (N,) and (N, 1) */
  readonly width?: number;
  readonly rows?: number;
}

export interface FoundArray {
  readonly dataset: Dataset;
  readonly rows: number;
  readonly width: number;
}

/**
 * An array of a file.
 * @throws EdgeError `datasetInvalid` naming the array: it is not there, has another type, shape or length
 */
export function arrayAt(path: string, group: Group, wanted: ArrayWanted): FoundArray {
  const { name, kind } = wanted;
  const entity = name.split('/').every((_, depth, parts) => has(group, parts.slice(0, depth + 1).join('/')))
    ? group.get(name)
    : null;
  if (entity === null || !('slice' in entity)) {
    throw invalid(
      `${path} has no array "${name}"; it has ${group.keys().slice(0, 20).join(', ') || 'nothing'}`,
      'a D4RL file has observations, actions, rewards, next_observations, terminals and timeouts at its root',
    );
  }
  const dataset: Dataset = entity;
  const { shape, dtype } = dataset;
  const [rows, second, ...more] = shape ?? [];
  const width = second ?? 1;
  const described = `${path}: "${name}" has shape [${shape?.join(', ')}]`;
  if (rows === undefined || more.length > 0) throw invalid(described, 'it has to be [N] or [N, size]');
  if (wanted.width !== undefined && wanted.width !== width) {
    throw invalid(
      `${described}, a row of it has ${width} numbers instead of ${wanted.width}`,
      'the widths have to agree',
    );
  }
  if (wanted.rows !== undefined && wanted.rows !== rows) {
    throw invalid(`${described}, ${rows} rows instead of ${wanted.rows}`, 'all arrays need a row for each transition');
  }
  const { type, size } = dataset.metadata;
  const isFloat = type === NUMERIC.float && (size === 4 || size === 8);
  const isWhole = type === NUMERIC.integer || type === NUMERIC.enumeration;
  if (kind === 'float' ? !isFloat : kind === 'bits' ? type !== NUMERIC.integer : !isFloat && !isWhole) {
    throw invalid(
      `${path}: "${name}" is of type ${typeof dtype === 'string' ? dtype : JSON.stringify(dtype)}`,
      kind === 'float' ? 'it has to be float32 or float64' : 'it has to be bool or a whole number, 0 or 1',
    );
  }
  return { dataset, rows, width };
}

const has = (group: Group, path: string): boolean => {
  const parts = path.split('/');
  const name = parts.pop() ?? '';
  const parent = parts.length === 0 ? group : group.get(parts.join('/'));
  return parent !== null && 'keys' in parent && parent.keys().includes(name);
};

/** Rows `start` up to `end` of an array of numbers, flat. */
export function readRows({ dataset, width }: FoundArray, start: number, end: number): ArrayLike<number> {
  const ranks = dataset.shape?.length ?? 1;
  const rows = dataset.slice(
    ranks === 1
      ? [[start, end]]
      : [
          [start, end],
          [0, width],
        ],
  );
  if (!ArrayBuffer.isView(rows) && !Array.isArray(rows)) throw new Error('rows that are no array');
  // A bool of h5py comes as booleans.
  return Array.isArray(rows) ? rows.flat().map(Number) : (rows as unknown as ArrayLike<number>);
}

/** Flags as 0 and 1. @throws EdgeError `datasetInvalid` with the row */
export function readFlags(path: string, array: FoundArray, name: string, start: number, end: number): Uint8Array {
  const values = readRows(array, start, end);
  const flags = new Uint8Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const value = Number(values[row]);
    if (value !== 0 && value !== 1) {
      throw invalid(`${path}: "${name}", row ${start + row} is neither 0 nor 1: ${value}`, 'it has to be one of them');
    }
    flags[row] = value;
  }
  return flags;
}

/** The JSON in a text attribute, or `undefined`. */
export function jsonAttribute(entity: Group | Dataset, name: string): Json | undefined {
  const value = entity.attrs[name]?.value;
  if (typeof value !== 'string') return undefined;
  try {
    return JSON.parse(value) as Json;
  } catch {
    return undefined;
  }
}
