import { type FileHandle, open } from 'node:fs/promises';

/** One MCAP record as it stands in the file. */
export interface RawRecord {
  readonly opcode: number;
  /** where it begins */
  readonly offset: number;
  /** without opcode and length */
  readonly body: Buffer;
  /** all of it */
  readonly bytes: Buffer;
}

/** The file ends in the middle of something. */
export class Cut extends Error {
  /** how the record begins that is not all there */
  readonly head: Buffer;

  constructor(message: string, head: Buffer = Buffer.alloc(0)) {
    super(message);
    this.head = head;
  }
}
/** The bytes cannot be what was written. */
export class Damage extends Error {}

/** Opcode and u64 length. */
const HEADER = 9;
/** As much of a record that is cut off as says what it is [bytes]. */
const HEAD = 64;
/** Bytes read at once. */
const STRIDE = 1 << 18;
/** A chunk is 64 KiB and a bit; whatever claims to be much longer was not written by a recorder, and memory is bounded. */
const MAX_RECORD = 1 << 20;

/** Cuts a file into MCAP records, with bounded memory. What is added to the file after `open` is not seen. */
export class RecordStream {
  #handle: FileHandle | undefined;
  #buffer = Buffer.alloc(0);
  /** where in the file `#buffer` begins */
  #offset = 0;
  #size = 0;

  /** Length of the file when it was opened [bytes]. */
  get size(): number {
    return this.#size;
  }

  /** Where the next record begins. */
  get position(): number {
    return this.#offset;
  }

  /** @throws node's errors */
  async open(path: string): Promise<void> {
    this.#handle = await open(path, 'r');
    this.#size = (await this.#handle.stat()).size;
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  /**
   * The next bytes as they are.
   * @throws Cut when there are not so many
   */
  async take(length: number): Promise<Buffer> {
    const bytes = await this.#peek(length);
    this.#buffer = this.#buffer.subarray(length);
    this.#offset += length;
    return bytes;
  }

  /**
   * The next record, or `undefined` at the very end.
   * @throws Cut, Damage
   */
  async next(): Promise<RawRecord | undefined> {
    const offset = this.#offset;
    if (offset === this.#size) return undefined;
    const header = await this.#peek(HEADER);
    const length = header.readBigUInt64LE(1);
    if (length > BigInt(MAX_RECORD)) throw new Damage(`a record claims ${length} bytes`);
    const end = offset + HEADER + Number(length);
    if (end > this.#size) {
      const head = await this.#peek(Math.min(HEAD, this.#size - offset));
      throw new Cut(`the file ends ${end - this.#size} bytes too early`, head);
    }
    const bytes = await this.take(HEADER + Number(length));
    return { opcode: bytes.readUInt8(0), offset, body: bytes.subarray(HEADER), bytes };
  }

  async #peek(length: number): Promise<Buffer> {
    const missing = length - this.#buffer.length;
    if (missing > 0) {
      const at = this.#offset + this.#buffer.length;
      const wanted = Math.min(Math.max(missing, STRIDE), this.#size - at);
      // Never used again for other bytes: what was handed out stays as it is.
      const more = Buffer.allocUnsafeSlow(Math.max(wanted, 0));
      let got = 0;
      while (got < more.length) {
        const { bytesRead } = (await this.#handle?.read(more, got, more.length - got, at + got)) ?? { bytesRead: 0 };
        if (bytesRead === 0) break;
        got += bytesRead;
      }
      this.#buffer = Buffer.concat([this.#buffer, more.subarray(0, got)]);
    }
    if (this.#buffer.length < length) throw new Cut(`the file ends ${length - this.#buffer.length} bytes too early`);
    return this.#buffer.subarray(0, length);
  }
}
