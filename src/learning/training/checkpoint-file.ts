import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { EdgeError, messageOf } from '../../errors.ts';

/**
 * One binary file: "H2OC", version (u32), length of the JSON header (u32), header, the arrays one after the other, each at a
 * multiple of eight bytes, CRC-32 of everything before (u32). Little-endian, as every machine is that we run on.
 */
const MAGIC = 'H2OC';
const VERSION = 1;
const ENDING = '.checkpoint';

export type CheckpointArray = Float32Array | Uint8Array | Int32Array;

export interface Checkpoint {
  /** gradient steps done */
  readonly step: number;
  /** plain data */
  readonly state: unknown;
  readonly arrays: Readonly<Record<string, CheckpointArray>>;
}

interface Header {
  readonly step: number;
  readonly state: unknown;
  readonly arrays: readonly { readonly name: string; readonly type: keyof typeof kinds; readonly length: number }[];
}

const kinds = { f32: Float32Array, i32: Int32Array, u8: Uint8Array } as const;

const kindOf = (array: CheckpointArray): keyof typeof kinds =>
  array instanceof Float32Array ? 'f32' : array instanceof Int32Array ? 'i32' : 'u8';

const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8;

export function encodeCheckpoint({ step, state, arrays }: Checkpoint): Uint8Array[] {
  const entries = Object.entries(arrays);
  const header: Header = {
    step,
    state,
    arrays: entries.map(([name, array]) => ({ name, type: kindOf(array), length: array.length })),
  };
  const json = Buffer.from(JSON.stringify(header));
  const start = Buffer.alloc(padded(12 + json.length));
  start.write(MAGIC, 'latin1');
  start.writeUInt32LE(VERSION, 4);
  start.writeUInt32LE(json.length, 8);
  json.copy(start, 12);
  const parts: Buffer[] = [start];
  for (const [, { buffer, byteOffset, byteLength }] of entries) {
    // Nothing of no length: the sum of an empty part is zero, whatever came before it.
    if (byteLength > 0) parts.push(Buffer.from(buffer, byteOffset, byteLength));
    if (byteLength % 8 > 0) parts.push(Buffer.alloc(padded(byteLength) - byteLength));
  }
  const end = Buffer.alloc(4);
  end.writeUInt32LE(parts.reduce((sum, part) => crc32(part, sum), 0));
  return [...parts, end];
}

/**
 * Writes a file so that it is there whole or not at all: under another name first, onto the medium, then renamed.
 * @throws EdgeError `fileUnreadable`
 */
export function writeWhole(path: string, parts: readonly Uint8Array[]): void {
  const partial = `${path}.partial`;
  try {
    const file = openSync(partial, 'w');
    try {
      for (const part of parts) for (let at = 0; at < part.length; ) at += writeSync(file, part, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(partial, path);
    const folder = openSync(dirname(path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (error) {
    rmSync(partial, { force: true });
    throw new EdgeError(
      'fileUnreadable',
      `cannot write ${path}: ${messageOf(error)}`,
      'make room, or look at the rights',
    );
  }
}

/** @throws EdgeError `checkpointInvalid`, `fileUnreadable` */
export function readCheckpoint(path: string): Checkpoint {
  const bytes = readAligned(path);
  const invalid = (what: string) =>
    new EdgeError('checkpointInvalid', `${path} ${what}`, 'remove it: --resume goes on from the one before');
  if (bytes.length < 16 || bytes.toString('latin1', 0, 4) !== MAGIC) throw invalid('is no checkpoint');
  const version = bytes.readUInt32LE(4);
  if (version !== VERSION) throw invalid(`is of version ${version}, this program knows ${VERSION}`);
  const body = bytes.subarray(0, -4);
  if (crc32(body) !== bytes.readUInt32LE(body.length)) throw invalid('is damaged: its sum is another');
  const length = bytes.readUInt32LE(8);
  // The sum has been checked: what stands here is what was written.
  const header = JSON.parse(bytes.toString('utf8', 12, 12 + length)) as Header;
  let at = padded(12 + length);
  const arrays: Record<string, CheckpointArray> = {};
  for (const { name, type, length: count } of header.arrays) {
    const array = new kinds[type](bytes.buffer, bytes.byteOffset + at, count);
    arrays[name] = array;
    at += padded(array.byteLength);
  }
  return { step: header.step, state: header.state, arrays };
}

/** The bytes of a file in memory of their own, where arrays of floats can be views. */
function readAligned(path: string): Buffer<ArrayBuffer> {
  try {
    return Buffer.from(new Uint8Array(readFileSync(path)).buffer);
  } catch (error) {
    throw new EdgeError('fileUnreadable', `cannot read ${path}: ${messageOf(error)}`, 'check the path');
  }
}

/** Checkpoints in a folder by their steps, the last one keeping a few before it, should it be damaged. */
export class CheckpointFolder {
  readonly #folder: string;
  readonly #keep: number;

  constructor(folder: string, keep = 3) {
    this.#folder = folder;
    this.#keep = keep;
  }

  /** Oldest first. */
  list(): string[] {
    try {
      const names = readdirSync(this.#folder).filter((name) => name.endsWith(ENDING));
      return names.sort().map((name) => join(this.#folder, name));
    } catch {
      return [];
    }
  }

  /** @returns its path */
  write(checkpoint: Checkpoint): string {
    const path = join(this.#folder, `${String(checkpoint.step).padStart(9, '0')}${ENDING}`);
    writeWhole(path, encodeCheckpoint(checkpoint));
    for (const old of this.list().slice(0, -this.#keep)) rmSync(old, { force: true });
    return path;
  }

  /**
   * The newest one that can be read.
   * @param onDamaged told of each that cannot
   */
  newest(onDamaged: (error: EdgeError) => void): Checkpoint | undefined {
    for (const path of this.list().reverse()) {
      try {
        return readCheckpoint(path);
      } catch (error) {
        if (!(error instanceof EdgeError)) throw error;
        onDamaged(error);
      }
    }
    return undefined;
  }
}
