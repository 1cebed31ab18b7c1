/**
 * PROTOCOL.md §2 a second time, for the golden vectors and for tests, written to be obviously right and not to be fast, sharing nothing with the codec
 * that it judges. Also makes the frames that the codec never would.
 */

export interface RawFrame {
  type: number;
  sequence: number;
  time?: number;
  payload: readonly number[];
}

/** Bit by bit, as the definition of CRC-32/ISO-HDLC has it. */
export function referenceCrc(bytes: readonly number[]): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

const littleEndian = (value: number, size: number): number[] =>
  Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** i) % 256);

/** Header, payload and CRC. */
export function plainFrame({ type, sequence, time = 0, payload }: RawFrame): number[] {
  const body = [type, ...littleEndian(sequence, 2), ...littleEndian(time, 4), ...payload];
  return [...body, ...littleEndian(referenceCrc(body), 4)];
}

/** COBS of fewer than 254 bytes, and the delimiter. */
export function stuffed(plain: readonly number[]): number[] {
  const blocks: number[][] = [[]];
  for (const byte of plain) {
    if (byte === 0) blocks.push([]);
    else blocks.at(-1)?.push(byte);
  }
  return [...blocks.flatMap((block) => [block.length + 1, ...block]), 0];
}

/** A frame as it goes over the wire. */
export const wireFrame = (frame: RawFrame): number[] => stuffed(plainFrame(frame));

/** The bytes between delimiters that are COBS with a matching CRC, unstuffed, CRC included. */
export function intactFrames(bytes: readonly number[]): number[][] {
  const found: number[][] = [];
  for (let from = 0, end = bytes.indexOf(0); end >= 0; from = end + 1, end = bytes.indexOf(0, from)) {
    const plain = unstuffed(bytes.slice(from, end));
    if (!plain || plain.length < 11) continue;
    const crc = littleEndian(referenceCrc(plain.slice(0, -4)), 4);
    if (plain.slice(-4).every((byte, i) => byte === crc[i])) found.push(plain);
  }
  return found;
}

function unstuffed(block: readonly number[]): number[] | undefined {
  const [code = 0, ...rest] = block;
  if (code === 0 || rest.length < code - 1) return undefined;
  const data = rest.slice(0, code - 1);
  const further = rest.slice(code - 1);
  if (further.length === 0) return data;
  const tail = unstuffed(further);
  return tail && [...data, ...(code === 0xff ? [] : [0]), ...tail];
}
