import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Debian's names of architectures, npm's, and e_machine of elf(5). */
export const ARCHITECTURES = {
  amd64: { npm: 'x64', machine: 62 },
  arm64: { npm: 'arm64', machine: 183 },
} as const;
export type Architecture = keyof typeof ARCHITECTURES;

const HEADER = 20;

/** What a program or library is for: e_machine of its header; undefined for any other file. */
export function machineOf(path: string): number | undefined {
  const header = Buffer.alloc(HEADER);
  const file = openSync(path, 'r');
  try {
    if (readSync(file, header) < HEADER || header.readUInt32BE(0) !== 0x7f454c46) return undefined;
  } finally {
    closeSync(file);
  }
  const littleEndian = header[5] === 1;
  return littleEndian ? header.readUInt16LE(18) : header.readUInt16BE(18);
}

/** Regular files under a folder, relative to it. */
export const filesUnder = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();

export interface Binary {
  readonly path: string;
  readonly machine: number;
}

/** Every program and library under a folder. */
export const binariesUnder = (folder: string): Binary[] =>
  filesUnder(folder).flatMap((path) => {
    const machine = machineOf(join(folder, path));
    return machine === undefined ? [] : [{ path, machine }];
  });

/** Programs and libraries under a folder that do not run on an architecture. */
export const foreignTo = (architecture: Architecture, folder: string): Binary[] =>
  binariesUnder(folder).filter(({ machine }) => machine !== ARCHITECTURES[architecture].machine);
