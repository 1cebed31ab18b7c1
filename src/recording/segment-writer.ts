import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { McapChunkBuilder, McapRecordBuilder, type McapTypes } from '@mcap/core';
import { CHANNELS, SCHEMAS } from './channels.ts';
import { type Disk, type OutputFile, writeAll } from './disk.ts';
import { SegmentIndex } from './segment-index.ts';
import { METADATA_NAME, withCrc } from './segment-metadata.ts';
import { SEALED } from './segment-name.ts';

export interface SegmentWriterOptions {
  readonly disk: Disk;
  /** the file that is written, must not exist */
  readonly path: string;
  /** what the segment says about itself */
  readonly metadata: ReadonlyMap<string, string>;
  /** others than ours when a segment of another version is repaired */
  readonly schemas?: readonly McapTypes.Schema[];
  readonly channels?: readonly McapTypes.Channel[];
}

const LIBRARY = 'h2o-edge';

/**
 * Writes one segment, a chunk at a time. @mcap/core's own writer cannot say when a message is on the disk, so this one is
 * built on its record builders: `append` resolves when its messages are safe. One operation at a time, please.
 *
 * All methods reject with node's errors. After a failed `append` the file is cut back to its last safe chunk and can be
 * sealed; when that fails as well, or fdatasync itself has failed, the writer is broken: nothing more can be said about
 * what the kernel kept, so all that is left is `abandon` and a later repair.
 */
export class SegmentWriter {
  readonly path: string;
  readonly #disk: Disk;
  readonly #schemas: readonly McapTypes.Schema[];
  readonly #channels: readonly McapTypes.Channel[];
  readonly #metadata: ReadonlyMap<string, string>;
  #file: OutputFile | undefined;
  #index: SegmentIndex | undefined;
  /** bytes that are known to be on the medium */
  #safe = 0;
  /** CRC-32 of those bytes */
  #crc = 0;
  #described = false;
  #broken = false;

  constructor(options: SegmentWriterOptions) {
    this.path = options.path;
    this.#disk = options.disk;
    this.#metadata = withCrc(options.metadata);
    this.#schemas = options.schemas ?? SCHEMAS;
    this.#channels = options.channels ?? CHANNELS;
  }

  /** Length of what is safe [bytes]. */
  get bytes(): number {
    return this.#safe;
  }

  /** Creates the file, writes its opening and makes its name durable. When that fails there is no file. */
  async open(): Promise<void> {
    const builder = new McapRecordBuilder();
    builder.writeMagic();
    builder.writeHeader({ profile: '', library: LIBRARY });
    const offset = builder.length;
    builder.writeMetadata({ name: METADATA_NAME, metadata: new Map(this.#metadata) });
    const metadataIndex = { name: METADATA_NAME, offset: BigInt(offset), length: BigInt(builder.length - offset) };
    this.#index = new SegmentIndex(this.#schemas, this.#channels, metadataIndex);
    this.#file = await this.#disk.create(this.path);
    try {
      await this.#write(builder.buffer);
      await this.#disk.syncDirectory(dirname(this.path));
    } catch (error) {
      await this.abandon();
      await this.#disk.remove(this.path).catch(() => undefined);
      throw error;
    }
  }

  /** Writes messages as one chunk; when it resolves they are on the medium. */
  async append(messages: readonly McapTypes.Message[]): Promise<void> {
    if (messages.length === 0) return;
    const chunk = new McapChunkBuilder({ useMessageIndex: true });
    if (!this.#described) {
      // Inside of the chunk they are covered by its CRC.
      for (const schema of this.#schemas) chunk.addSchema(schema);
      for (const channel of this.#channels) chunk.addChannel(channel);
    }
    for (const message of messages) chunk.addMessage(message);

    const records = chunk.buffer;
    const size = BigInt(records.length);
    const builder = new McapRecordBuilder();
    const { messageStartTime, messageEndTime } = chunk;
    const chunkLength = builder.writeChunk({
      messageStartTime,
      messageEndTime,
      uncompressedSize: size,
      uncompressedCrc: crc32(records),
      compression: '',
      records,
    });
    const chunkStartOffset = BigInt(this.#safe);
    const indexStart = builder.length;
    const messageIndexOffsets = new Map<number, bigint>();
    const counts = new Map<number, number>();
    for (const index of chunk.indices) {
      if (index.records.length === 0) continue;
      messageIndexOffsets.set(index.channelId, BigInt(this.#safe + builder.length));
      counts.set(index.channelId, index.records.length);
      builder.writeMessageIndex(index);
    }
    const messageIndexLength = BigInt(builder.length - indexStart);
    await this.#write(builder.buffer);
    this.#described = true;
    this.#index?.add(
      {
        messageStartTime,
        messageEndTime,
        chunkStartOffset,
        chunkLength,
        messageIndexOffsets,
        messageIndexLength,
        compression: '',
        compressedSize: size,
        uncompressedSize: size,
      },
      counts,
    );
  }

  /**
   * Writes index, statistics and footer; the file is complete and on the medium. It keeps its name.
   * When this fails the file still holds what was appended.
   */
  async finish(): Promise<void> {
    if (this.#index === undefined) throw new Error('finish() before open()');
    await this.#write(this.#index.ending(this.#safe, this.#crc));
    await this.#file?.close();
    this.#file = undefined;
  }

  /**
   * `finish`, and then the name that says so.
   * @returns the sealed segment's path
   */
  async seal(): Promise<string> {
    await this.finish();
    const sealed = this.path.replace(/\.[^.]+$/, SEALED);
    await this.#disk.rename(this.path, sealed);
    await this.#disk.syncDirectory(dirname(sealed));
    return sealed;
  }

  /** Lets go of the file as it is. Never rejects. */
  async abandon(): Promise<void> {
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const file = this.#file;
    if (file === undefined || this.#broken) throw new Error(`${this.path} is not open for writing`);
    try {
      await writeAll(file, bytes, this.#safe);
    } catch (error) {
      await file.truncate(this.#safe).catch(() => {
        this.#broken = true;
      });
      throw error;
    }
    try {
      await file.sync();
    } catch (error) {
      // A second fdatasync would succeed without having written what the first one lost: the kernel reports it only once.
      this.#broken = true;
      throw error;
    }
    this.#safe += bytes.length;
    this.#crc = crc32(bytes, this.#crc);
  }
}
