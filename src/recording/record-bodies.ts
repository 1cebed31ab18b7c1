import type { McapTypes } from '@mcap/core';
import { Damage } from './record-stream.ts';

/**
 * Bodies of the MCAP records that a recorder writes (MCAP specification, "Records"). @mcap/core's reader of single
 * records is not public, and its stream reader passes over what it does not know: a flipped bit in an opcode would make a
 * whole chunk disappear without a word.
 */

/** Reads fields one after another; whatever does not fit is damage. */
class Fields {
  readonly #body: Buffer;
  #at = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  get rest(): number {
    return this.#body.length - this.#at;
  }

  u16(): number {
    return this.bytes(2).readUInt16LE(0);
  }

  u32(): number {
    return this.bytes(4).readUInt32LE(0);
  }

  u64(): bigint {
    return this.bytes(8).readBigUInt64LE(0);
  }

  bytes(length: number): Buffer {
    if (length > this.rest) throw new Damage('a field is longer than its record');
    this.#at += length;
    return this.#body.subarray(this.#at - length, this.#at);
  }

  string(): string {
    return this.bytes(this.u32()).toString('utf8');
  }

  map(): Map<string, string> {
    const fields = new Fields(this.bytes(this.u32()));
    const entries = new Map<string, string>();
    while (fields.rest > 0) entries.set(fields.string(), fields.string());
    return entries;
  }

  end(): void {
    if (this.rest !== 0) throw new Damage('a record is longer than its fields');
  }
}

const parse = <T>(body: Buffer, read: (fields: Fields) => T): T => {
  const fields = new Fields(body);
  const value = read(fields);
  fields.end();
  return value;
};

export const parseHeader = (body: Buffer): McapTypes.Header =>
  parse(body, (fields) => ({ profile: fields.string(), library: fields.string() }));

export const parseMetadata = (body: Buffer): McapTypes.Metadata =>
  parse(body, (fields) => ({ name: fields.string(), metadata: fields.map() }));

export const parseSchema = (body: Buffer): McapTypes.Schema =>
  parse(body, (fields) => ({
    id: fields.u16(),
    name: fields.string(),
    encoding: fields.string(),
    data: fields.bytes(fields.u32()),
  }));

export const parseChannel = (body: Buffer): McapTypes.Channel =>
  parse(body, (fields) => ({
    id: fields.u16(),
    schemaId: fields.u16(),
    topic: fields.string(),
    messageEncoding: fields.string(),
    metadata: fields.map(),
  }));

export const parseMessage = (body: Buffer): McapTypes.Message =>
  parse(body, (fields) => ({
    channelId: fields.u16(),
    sequence: fields.u32(),
    logTime: fields.u64(),
    publishTime: fields.u64(),
    data: fields.bytes(fields.rest),
  }));

export const parseChunk = (body: Buffer): Omit<McapTypes.Chunk, 'records'> & { records: Buffer } =>
  parse(body, (fields) => ({
    messageStartTime: fields.u64(),
    messageEndTime: fields.u64(),
    uncompressedSize: fields.u64(),
    uncompressedCrc: fields.u32(),
    compression: fields.string(),
    records: fields.bytes(Number(fields.u64())),
  }));

/** What is in it is known from the chunk before; here only that it is one. */
export const checkMessageIndex = (body: Buffer): void => {
  parse(body, (fields) => {
    fields.u16();
    if (fields.bytes(fields.u32()).length % 16 !== 0) throw new Damage('a message index has half an entry');
  });
};

export const parseDataEnd = (body: Buffer): McapTypes.DataEnd =>
  parse(body, (fields) => ({ dataSectionCrc: fields.u32() }));

export const parseFooter = (body: Buffer): McapTypes.Footer =>
  parse(body, (fields) => ({
    summaryStart: fields.u64(),
    summaryOffsetStart: fields.u64(),
    summaryCrc: fields.u32(),
  }));
