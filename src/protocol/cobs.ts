/**
 * Consistent Overhead Byte Stuffing (Cheshire and Baker, IEEE/ACM Transactions on Networking 7(2), 1999; PROTOCOL.md §2.4):
 * rewrites bytes so that 0x00 never occurs in them and can end a frame. Neither function writes or expects that 0x00.
 */

/** Most bytes that `length` bytes can become: one per started block of 254. */
export const cobsMaxLength = (length: number): number => length + Math.max(1, Math.ceil(length / 254));

/**
 * Encodes all of `source` into `target`.
 *
 * @param target at least `cobsMaxLength(source.length)` bytes
 * @returns number of bytes written
 */
export function cobsEncode(source: Uint8Array, target: Uint8Array): number {
  let codeAt = 0;
  let to = 1;
  let code = 1;
  for (const byte of source) {
    // A full block is closed only once more follows, so that 254 bytes without a zero cost one byte and not two.
    if (code === 0xff) {
      target[codeAt] = code;
      codeAt = to++;
      code = 1;
    }
    if (byte === 0) {
      target[codeAt] = code;
      codeAt = to++;
      code = 1;
    } else {
      target[to++] = byte;
      code++;
    }
  }
  target[codeAt] = code;
  return to;
}

/**
 * Decodes all of `source` into `target`, which may be the same memory: the output never overtakes the input.
 *
 * @param target at least `source.length - 1` bytes
 * @returns number of bytes written, or undefined if this is no COBS: a block runs past the end, or a 0x00 is inside
 */
export function cobsDecode(source: Uint8Array, target: Uint8Array): number | undefined {
  let from = 0;
  let to = 0;
  while (from < source.length) {
    const code = source[from++] ?? 0;
    const end = from + code - 1;
    if (code === 0 || end > source.length) return undefined;
    while (from < end) {
      const byte = source[from++] ?? 0;
      if (byte === 0) return undefined;
      target[to++] = byte;
    }
    // A block of 254 stands for no zero, and the zero after the last block is not part of the data.
    if (code !== 0xff && from < source.length) target[to++] = 0;
  }
  return to;
}
