import { crc32 } from 'node:zlib';
import { McapConstants, McapRecordBuilder, type McapTypes } from '@mcap/core';

/** Record header: opcode and u64 length. */
const RECORD_HEADER = 9;
/** A footer up to its CRC, which covers these bytes too. */
const FOOTER_BEFORE_CRC = RECORD_HEADER + 16;

/** What a segment's end says about the rest of it: grows with each chunk that is safely on the disk. */
export class SegmentIndex {
  readonly #schemas: readonly McapTypes.Schema[];
  readonly #channels: readonly McapTypes.Channel[];
  readonly #metadata: McapTypes.MetadataIndex;
  readonly #chunks: McapTypes.ChunkIndex[] = [];
  readonly #messagesOfChannel = new Map<number, bigint>();
  #messages = 0n;

  constructor(
    schemas: readonly McapTypes.Schema[],
    channels: readonly McapTypes.Channel[],
    metadata: McapTypes.MetadataIndex,
  ) {
    this.#schemas = schemas;
    this.#channels = channels;
    this.#metadata = metadata;
  }

  add(chunk: McapTypes.ChunkIndex, messages: ReadonlyMap<number, number>): void {
    this.#chunks.push(chunk);
    for (const [channel, count] of messages) {
      this.#messagesOfChannel.set(channel, (this.#messagesOfChannel.get(channel) ?? 0n) + BigInt(count));
      this.#messages += BigInt(count);
    }
  }

  /**
   * DataEnd, summary section, footer and closing magic (MCAP specification, "Data End", "Summary Section", "Footer").
   * @param dataEnd where in the file they will stand
   * @param dataCrc CRC-32 of everything before
   */
  ending(dataEnd: number, dataCrc: number): Uint8Array {
    const builder = new McapRecordBuilder();
    builder.writeDataEnd({ dataSectionCrc: dataCrc });
    const summaryStart = BigInt(dataEnd + builder.length);
    const { Opcode } = McapConstants;
    const offsets: McapTypes.SummaryOffset[] = [];
    const group = (groupOpcode: number, write: () => void) => {
      const start = builder.length;
      write();
      if (builder.length === start) return;
      offsets.push({
        groupOpcode,
        groupStart: BigInt(dataEnd + start),
        groupLength: BigInt(builder.length - start),
      });
    };
    group(Opcode.SCHEMA, () => {
      for (const schema of this.#schemas) builder.writeSchema(schema);
    });
    group(Opcode.CHANNEL, () => {
      for (const channel of this.#channels) builder.writeChannel(channel);
    });
    group(Opcode.STATISTICS, () => builder.writeStatistics(this.#statistics()));
    group(Opcode.METADATA_INDEX, () => builder.writeMetadataIndex(this.#metadata));
    group(Opcode.CHUNK_INDEX, () => {
      for (const chunk of this.#chunks) builder.writeChunkIndex(chunk);
    });
    const summaryOffsetStart = BigInt(dataEnd + builder.length);
    for (const offset of offsets) builder.writeSummaryOffset(offset);

    const footer = { summaryStart, summaryOffsetStart, summaryCrc: 0 };
    const footerBuilder = new McapRecordBuilder();
    footerBuilder.writeFooter(footer);
    const summary = builder.buffer.subarray(Number(summaryStart) - dataEnd);
    const summaryCrc = crc32(footerBuilder.buffer.subarray(0, FOOTER_BEFORE_CRC), crc32(summary));
    builder.writeFooter({ ...footer, summaryCrc });
    builder.writeMagic();
    return builder.buffer;
  }

  #statistics(): McapTypes.Statistics {
    const earliest = (a: bigint, b: bigint) => (a < b ? a : b);
    const latest = (a: bigint, b: bigint) => (a > b ? a : b);
    const [first, ...rest] = this.#chunks;
    return {
      messageCount: this.#messages,
      schemaCount: this.#schemas.length,
      channelCount: this.#channels.length,
      attachmentCount: 0,
      metadataCount: 1,
      chunkCount: this.#chunks.length,
      messageStartTime: rest.reduce(
        (time, chunk) => earliest(time, chunk.messageStartTime),
        first?.messageStartTime ?? 0n,
      ),
      messageEndTime: rest.reduce((time, chunk) => latest(time, chunk.messageEndTime), first?.messageEndTime ?? 0n),
      channelMessageCounts: this.#messagesOfChannel,
    };
  }
}
