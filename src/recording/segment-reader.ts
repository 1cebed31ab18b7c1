import { crc32 } from 'node:zlib';
import { McapConstants, type McapTypes } from '@mcap/core';
import { messageOf } from '../errors.ts';
import { decodeTapeBlock, type TapeBlock } from '../messages/tape-block.ts';
import { bodyOfCdr } from './cdr.ts';
import { CHUNK_BYTES, EVENT_TOPIC, parseEvent, TAPE_TOPIC, TRANSITION_TOPIC } from './channels.ts';
import {
  checkMessageIndex,
  parseChannel,
  parseChunk,
  parseDataEnd,
  parseFooter,
  parseHeader,
  parseMessage,
  parseMetadata,
  parseSchema,
} from './record-bodies.ts';
import { Cut, Damage, type RawRecord, RecordStream } from './record-stream.ts';
import { isIntact } from './segment-metadata.ts';
import { rowOfCdr } from './transition-schema.ts';

const { Opcode, MCAP_MAGIC } = McapConstants;
const MAGIC = Buffer.from(MCAP_MAGIC);
/** A footer up to its own CRC. */
const FOOTER_BEFORE_CRC = 25;
/** A chunk of tiny messages, and an index entry for each [bytes]. */
const LONGEST_COMMIT = 3 * CHUNK_BYTES;
/** Magic, header and metadata; a longer one that is really cut is kept aside for nothing [bytes]. */
const LONGEST_OPENING = 4096;
/** Body of a chunk without compression, up to its records: times, size, CRC, no name, length. */
const CHUNK_FIELDS = 40n;
/** Where its size stands, with the header of the record. */
const UNCOMPRESSED_SIZE = 9 + 16;
const CHUNK_HEAD = UNCOMPRESSED_SIZE + 8;

/** How a segment ends, known once it has been read. `good` is the length up to the end of the last good chunk. */
export type SegmentEnding =
  | { readonly kind: 'sealed' }
  /** without a footer: still being written, or its writer died; `lost` bytes at the end are no whole record */
  | { readonly kind: 'cut'; readonly good: number; readonly lost: number; readonly reason: string }
  /** from `good` on the bytes are not those that were written */
  | { readonly kind: 'damaged'; readonly good: number; readonly lost: number; readonly reason: string };

/**
 * Reads a segment, sealed or not, from its beginning to its end or to the first byte that cannot be right: every CRC is
 * checked, and every record has to be one that a recorder writes, where it writes it. Reads chunk by chunk, so memory is
 * bounded. Messages of a chunk are only handed out when all of the chunk is good.
 */
export class SegmentReader {
  readonly path: string;
  readonly #stream = new RecordStream();
  readonly #schemas = new Map<number, McapTypes.Schema>();
  readonly #channels = new Map<number, McapTypes.Channel>();
  #metadata: ReadonlyMap<string, string> = new Map();
  #ending: SegmentEnding | undefined;
  #good = 0;
  #crc = 0;
  #dataEnded = false;
  #rowChannel: number | undefined;
  #tapeChannel: number | undefined;
  #eventChannel: number | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** What the segment says about itself; known with the first chunk. */
  get metadata(): ReadonlyMap<string, string> {
    return this.#metadata;
  }

  get schemas(): readonly McapTypes.Schema[] {
    return [...this.#schemas.values()];
  }

  get channels(): readonly McapTypes.Channel[] {
    return [...this.#channels.values()];
  }

  /** Length of the file when reading began [bytes]. */
  get size(): number {
    return this.#stream.size;
  }

  /** `undefined` until all has been read */
  get ending(): SegmentEnding | undefined {
    return this.#ending;
  }

  /** The row in a message, or `undefined` when it is another message (an event) or a row of another layout. */
  rowOf(message: McapTypes.Message): Uint8Array | undefined {
    return message.channelId === this.#rowChannel ? rowOfCdr(message.data) : undefined;
  }

  isRow(message: McapTypes.Message): boolean {
    return message.channelId === this.#rowChannel;
  }

  isEvent(message: McapTypes.Message): boolean {
    return message.channelId === this.#eventChannel;
  }

  isTape(message: McapTypes.Message): boolean {
    return message.channelId === this.#tapeChannel;
  }

  /** The block of the tape in a message (a view), or `undefined` when it is another message or no block that can be read. */
  tapeOf(message: McapTypes.Message): TapeBlock | undefined {
    const body = this.isTape(message) ? bodyOfCdr(message.data) : undefined;
    return body && decodeTapeBlock(body);
  }

  /**
   * The messages, a chunk at a time. What is wrong with the file does not throw: `ending` says it.
   * @throws node's errors when the file cannot be opened
   */
  async *chunks(): AsyncGenerator<readonly McapTypes.Message[]> {
    const stream = this.#stream;
    await stream.open(this.path);
    try {
      yield* this.#dataSection();
      const summaryStart = stream.position;
      await this.#summarySection(summaryStart);
      this.#ending = { kind: 'sealed' };
    } catch (error) {
      const lost = stream.size - this.#good;
      // EIO while reading is damage too.
      const kind = error instanceof Cut && this.#looksLikeCrash(error, lost) ? 'cut' : 'damaged';
      this.#ending = { kind, good: this.#good, lost, reason: messageOf(error) };
    } finally {
      await stream.close();
    }
  }

  /**
   * A length that grew by a flipped bit looks like a cut. But a crash cuts off one commit and not more; the opening of a
   * segment was whole before anything stood behind it; and a chunk says twice how long it is.
   */
  #looksLikeCrash({ head }: Cut, lost: number): boolean {
    if (this.#dataEnded) return true;
    if (lost > LONGEST_COMMIT) return false;
    if (this.#good === 0) return this.#stream.size <= LONGEST_OPENING;
    if (head.length < CHUNK_HEAD || head[0] !== Opcode.CHUNK) return true;
    return head.readBigUInt64LE(1) === head.readBigUInt64LE(UNCOMPRESSED_SIZE) + CHUNK_FIELDS;
  }

  async *#dataSection(): AsyncGenerator<readonly McapTypes.Message[]> {
    const magic = await this.#stream.take(MAGIC.length);
    if (!magic.equals(MAGIC)) throw new Damage('this is no MCAP file');
    this.#keep(magic);
    this.#keep(await this.#record(Opcode.HEADER, parseHeader));
    this.#keep(await this.#record(Opcode.METADATA, (body) => this.#describe(parseMetadata(body))));
    this.#good = this.#stream.position;

    for (let any = false; ; ) {
      const record = await this.#next();
      if (record.opcode === Opcode.CHUNK) {
        const messages = this.#openChunk(record.body);
        any = true;
        this.#good = this.#stream.position;
        yield messages;
      } else if (record.opcode === Opcode.MESSAGE_INDEX && any) {
        checkMessageIndex(record.body);
        this.#good = this.#stream.position;
      } else if (record.opcode === Opcode.DATA_END) {
        if (parseDataEnd(record.body).dataSectionCrc !== this.#crc) throw new Damage('the CRC of all data is wrong');
        this.#dataEnded = true;
        return;
      } else {
        throw new Damage(`a record of kind ${record.opcode} stands among the data`);
      }
      this.#keep(record.bytes);
    }
  }

  #describe({ metadata }: McapTypes.Metadata): void {
    if (!isIntact(metadata)) throw new Damage('the CRC of the metadata is wrong');
    this.#metadata = metadata;
  }

  #openChunk(body: Buffer): McapTypes.Message[] {
    const { records, compression, uncompressedCrc, uncompressedSize } = parseChunk(body);
    if (compression !== '' || uncompressedSize !== BigInt(records.length))
      throw new Damage('a chunk has no sound header');
    if (crc32(records) !== uncompressedCrc) throw new Damage('the CRC of a chunk is wrong');
    const messages: McapTypes.Message[] = [];
    for (let at = 0; at < records.length; ) {
      if (records.length - at < 9) throw new Damage('a chunk has no sound contents');
      const length = Number(records.readBigUInt64LE(at + 1));
      const inner = records.subarray(at + 9, at + 9 + length);
      if (inner.length !== length) throw new Damage('a chunk has no sound contents');
      this.#read(records.readUInt8(at), inner, messages);
      at += 9 + length;
    }
    return messages;
  }

  #read(opcode: number, body: Buffer, messages: McapTypes.Message[]): void {
    if (opcode === Opcode.MESSAGE) {
      const message = parseMessage(body);
      if (!this.#channels.has(message.channelId)) throw new Damage(`channel ${message.channelId} was never described`);
      messages.push(message);
    } else if (opcode === Opcode.SCHEMA) {
      const schema = parseSchema(body);
      this.#schemas.set(schema.id, schema);
    } else if (opcode === Opcode.CHANNEL) {
      const channel = parseChannel(body);
      this.#channels.set(channel.id, channel);
      if (channel.topic === TRANSITION_TOPIC) this.#rowChannel = channel.id;
      if (channel.topic === TAPE_TOPIC) this.#tapeChannel = channel.id;
      if (channel.topic === EVENT_TOPIC) this.#eventChannel = channel.id;
    } else {
      throw new Damage(`a record of kind ${opcode} stands in a chunk`);
    }
  }

  /** From after DataEnd to the end of the file: nothing of it is needed, all of it has to be right. */
  async #summarySection(start: number): Promise<void> {
    for (let crc = 0; ; ) {
      const record = await this.#next();
      if (record.opcode !== Opcode.FOOTER) {
        crc = crc32(record.bytes, crc);
        continue;
      }
      const footer = parseFooter(record.body);
      if (Number(footer.summaryStart) !== start) throw new Damage('the footer points to another summary');
      if (footer.summaryCrc !== crc32(record.bytes.subarray(0, FOOTER_BEFORE_CRC), crc)) {
        throw new Damage('the CRC of the summary is wrong');
      }
      if (!(await this.#stream.take(MAGIC.length)).equals(MAGIC)) throw new Damage('the closing magic is wrong');
      if (this.#stream.position !== this.#stream.size) throw new Damage('there is something after the end');
      return;
    }
  }

  async #record(opcode: number, read: (body: Buffer) => unknown): Promise<Buffer> {
    const record = await this.#next();
    if (record.opcode !== opcode) throw new Damage(`a record of kind ${record.opcode} stands where ${opcode} belongs`);
    read(record.body);
    return record.bytes;
  }

  async #next(): Promise<RawRecord> {
    const record = await this.#stream.next();
    if (record === undefined) throw new Cut('there is no footer');
    return record;
  }

  #keep(bytes: Buffer): void {
    this.#crc = crc32(bytes, this.#crc);
  }
}

/** The rows of a segment, up to its first damage. They are views: copy what is to be kept for long. */
export async function* readRows(path: string): AsyncGenerator<Uint8Array> {
  const reader = new SegmentReader(path);
  for await (const messages of reader.chunks()) {
    for (const message of messages) {
      const row = reader.rowOf(message);
      if (row) yield row;
    }
  }
}

/** The events of a segment, up to its first damage. */
export async function* readEvents(path: string): AsyncGenerator<{ wallNs: bigint; event: Record<string, unknown> }> {
  const reader = new SegmentReader(path);
  for await (const messages of reader.chunks()) {
    for (const message of messages) {
      if (!reader.isEvent(message)) continue;
      const event = parseEvent(message);
      if (event) yield { wallNs: message.logTime, event };
    }
  }
}
