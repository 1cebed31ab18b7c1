/**
 * What control heard and did, frame by frame, in the form in which it leaves control: blocks of records that are numbered
 * one after the other. A block is laid out as the body of a CDR message, little-endian, so that it is stored as it is:
 * boot u64, number u64, wall time u64, sequence of its first frame u64, length u32, records.
 */
export interface TapeBlock {
  /** the run of control that made it, as in rows */
  readonly boot: bigint;
  /** counts from 0 within that run */
  readonly number: bigint;
  /** host wall clock when it was closed [ns since 1970] */
  readonly wallNs: bigint;
  /** of the first sensor frame in it, as in rows */
  readonly sequence: bigint;
  readonly records: Uint8Array;
}

const HEADER = 36;

/** Longest block [bytes]; a block is closed long before. */
export const MAX_TAPE_BLOCK = 1 << 17;

export function encodeTapeBlock({ boot, number, wallNs, sequence, records }: TapeBlock): Uint8Array {
  const bytes = new Uint8Array(HEADER + records.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, boot, true);
  view.setBigUint64(8, number, true);
  view.setBigUint64(16, wallNs, true);
  view.setBigUint64(24, sequence, true);
  view.setUint32(32, records.length, true);
  bytes.set(records, HEADER);
  return bytes;
}

/** The block, its records a view; `undefined` when the bytes are none. */
export function decodeTapeBlock(bytes: Uint8Array): TapeBlock | undefined {
  if (bytes.length < HEADER || bytes.length > HEADER + MAX_TAPE_BLOCK) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(32, true) !== bytes.length - HEADER) return undefined;
  return {
    boot: view.getBigUint64(0, true),
    number: view.getBigUint64(8, true),
    wallNs: view.getBigUint64(16, true),
    sequence: view.getBigUint64(24, true),
    records: bytes.subarray(HEADER),
  };
}
