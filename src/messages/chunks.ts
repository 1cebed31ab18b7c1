/**
 * Files go over MQTT in chunks of one size, the last one shorter. Who lacks some says which it has, as a bitmap in base64:
 * chunk n is bit n mod 8 (1 = lowest) of byte n div 8.
 */

/** Size of a chunk [bytes]. On a 1 Mbit/s line it takes one second; brokers take up to 2 MB in one message, some only 128 kB. */
export const CHUNK_BYTES = 128 * 1024;

/** In how many chunks a file goes; an empty file in one, so that there is something to wait for. */
export const chunkCount = (bytes: number, chunkBytes: number = CHUNK_BYTES): number =>
  Math.max(1, Math.ceil(bytes / chunkBytes));

/** Which chunks are there, as a bitmap in base64. */
export function encodeBitmap(have: readonly boolean[]): string {
  const bytes = Buffer.alloc(Math.ceil(have.length / 8));
  have.forEach((there, n) => {
    if (there) bytes[n >> 3] = (bytes[n >> 3] ?? 0) | (1 << (n & 7));
  });
  return bytes.toString('base64');
}

/**
 * The chunks that a bitmap names.
 * @param chunks how many there are; what the bitmap says beyond is an error, what it does not reach is not there
 * @returns `undefined` if that is no bitmap of so many chunks
 */
export function decodeBitmap(text: string, chunks: number): boolean[] | undefined {
  const bytes = Buffer.from(text, 'base64');
  // Buffer skips what it does not know; then another text stands for the same bytes.
  if (bytes.toString('base64') !== text || bytes.length > Math.ceil(chunks / 8)) return undefined;
  const has = (n: number) => (((bytes[n >> 3] ?? 0) >> (n & 7)) & 1) === 1;
  for (let n = chunks; n < bytes.length * 8; n++) if (has(n)) return undefined;
  return Array.from({ length: chunks }, (_, n) => has(n));
}
