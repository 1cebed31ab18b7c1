import { crc32 } from 'node:zlib';

/** Name of the metadata record that opens a segment. */
export const METADATA_NAME = 'h2o-edge';

const CRC = 'crc32';

const crcOf = (entries: ReadonlyMap<string, string>): string =>
  crc32(JSON.stringify([...entries].filter(([key]) => key !== CRC).sort(([a], [b]) => (a < b ? -1 : 1))))
    .toString(16)
    .padStart(8, '0');

/**
 * Metadata stand outside of every chunk, and until a segment is sealed nothing else would notice a flipped bit in them:
 * they carry a CRC of their own.
 */
export const withCrc = (entries: ReadonlyMap<string, string>): Map<string, string> =>
  new Map([...entries, [CRC, crcOf(entries)]]);

/** Whether metadata are as they were written. */
export const isIntact = (entries: ReadonlyMap<string, string>): boolean => entries.get(CRC) === crcOf(entries);
