import { readdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { McapIndexedReader, McapStreamReader, type McapTypes } from '@mcap/core';
import { describe, expect, it } from 'vitest';
import { RAW_SENSORS } from '../messages/config.ts';
import { writeRecords } from '../messages/tape.testing.ts';
import { encodeTapeBlock } from '../messages/tape-block.ts';
import { PAYLOAD_SIZE } from '../protocol/messages.gen.ts';
import { recording, temporaryFolder } from './recording.testing.ts';
import { BOOT } from './rows.testing.ts';
import { isSegment } from './segment-name.ts';
import { verifyDirectory } from './verify.ts';

/** Segments as programs of others read them, who know nothing of us: @mcap/core's own readers, Foxglove's own decoders. */

const FRAMES = 20;
const BLOCKS = 30;

/** A block of the tape that tells of the frames of as many rows. */
function blockNumber(number: number): Uint8Array {
  const first = 1 + number * FRAMES;
  const frames = Array.from({ length: FRAMES }, (_, index) => ({
    payload: new Uint8Array(PAYLOAD_SIZE.sensors).fill(index + 1, 3, 9),
    sequence: first + index,
    mcuTimeUs: 5000 * (first + index),
    arrivedNs: 5_000_000n * BigInt(first + index),
    lost: 0,
    first: false,
    superseded: false,
  }));
  const records = writeRecords(frames.map((frame) => ({ is: 'chunk', frames: [frame] })));
  return encodeTapeBlock({ boot: BOOT, number: BigInt(number), wallNs: 1n, sequence: BigInt(first), records });
}

/** A recording with everything in it: rows, events, tape, and the sensors one by one. */
async function everything() {
  const kit = await recording(temporaryFolder(), {}, RAW_SENSORS);
  for (let number = 0; number < BLOCKS; number++) {
    const first = 1 + number * FRAMES;
    kit.rows(first, first + FRAMES - 1);
    kit.recorder.tape(blockNumber(number));
    kit.recorder.event({ event: 'state', from: 'disarmed', to: 'running', number });
  }
  await kit.recorder.flush();
  return kit;
}

interface Found {
  readonly topic: string;
  readonly message: Record<string, unknown>;
  readonly logTime: bigint;
}

/** Decodes by what the file says of itself, as Foxglove does it. */
class Decoder {
  readonly schemas = new Map<number, McapTypes.Schema>();
  readonly channels = new Map<number, McapTypes.Channel>();
  readonly found: Found[] = [];

  message({ channelId, data, logTime }: McapTypes.Message): void {
    const channel = this.channels.get(channelId);
    const schema = this.schemas.get(channel?.schemaId ?? 0);
    if (!channel || !schema) throw new Error(`channel ${channelId} was not described`);
    const text = new TextDecoder().decode(schema.data);
    if (schema.encoding === 'ros2msg' && channel.messageEncoding === 'cdr') {
      const reader = new MessageReader<Record<string, unknown>>(parse(text, { ros2: true }));
      const message = reader.readMessage(data);
      expect(reader.lastReadByteLength()).toBe(data.length);
      this.found.push({ topic: channel.topic, message, logTime });
    } else if (schema.encoding === 'jsonschema' && channel.messageEncoding === 'json') {
      expect(JSON.parse(text)).toMatchObject({ type: 'object' });
      this.found.push({ topic: channel.topic, message: JSON.parse(new TextDecoder().decode(data)), logTime });
    } else throw new Error(`${schema.encoding} with ${channel.messageEncoding} has no decoder`);
  }
}

async function readIndexed(path: string): Promise<Found[]> {
  const handle = await open(path, 'r');
  const readable = {
    size: async () => BigInt((await handle.stat()).size),
    read: async (offset: bigint, size: bigint) => {
      const buffer = new Uint8Array(Number(size));
      await handle.read(buffer, 0, buffer.length, Number(offset));
      return buffer;
    },
  };
  try {
    const reader = await McapIndexedReader.Initialize({ readable });
    const decoder = new Decoder();
    for (const [id, schema] of reader.schemasById) decoder.schemas.set(id, schema);
    for (const [id, channel] of reader.channelsById) decoder.channels.set(id, channel);
    for await (const message of reader.readMessages({ validateCrcs: true })) decoder.message(message);
    expect(reader.statistics?.messageCount).toBe(BigInt(decoder.found.length));
    for await (const { name, metadata } of reader.readMetadata()) {
      expect(name).toBe('h2o-edge');
      expect(Object.fromEntries(metadata)).toMatchObject({ robot: 'robot-1', revision: '1.2.3' });
    }
    return decoder.found;
  } finally {
    await handle.close();
  }
}

function readStream(path: string, validateCrcs = true): Found[] {
  const reader = new McapStreamReader({ validateCrcs });
  const decoder = new Decoder();
  reader.append(readFileSync(path));
  for (let record = reader.nextRecord(); record; record = reader.nextRecord()) {
    if (record.type === 'Schema') decoder.schemas.set(record.id, record);
    if (record.type === 'Channel') decoder.channels.set(record.id, record);
    if (record.type === 'Message') decoder.message(record);
  }
  return decoder.found;
}

const count = (found: readonly Found[]) => {
  const counts: Record<string, number> = {};
  for (const { topic } of found) counts[topic] = (counts[topic] ?? 0) + 1;
  return counts;
};

const EXPECTED = {
  '/transition': BLOCKS * FRAMES,
  '/event': BLOCKS,
  '/tape': BLOCKS,
  '/raw/imu': BLOCKS * FRAMES,
  '/raw/wheels': BLOCKS * FRAMES,
  '/raw/joints': BLOCKS * FRAMES,
  '/raw/board': BLOCKS * FRAMES,
};

describe('a segment with everything in it', () => {
  it('is read by others: indexed and as a stream, on every channel', async () => {
    const { directory, recorder } = await everything();
    await recorder.stop();
    const [file = ''] = readdirSync(directory).filter(isSegment);
    const indexed = await readIndexed(join(directory, file));
    expect(count(indexed)).toEqual(EXPECTED);
    expect(count(readStream(join(directory, file)))).toEqual(EXPECTED);
    for (const topic of Object.keys(EXPECTED).filter((name) => name.startsWith('/raw/'))) {
      const sequences = indexed.filter((one) => one.topic === topic).map(({ message }) => Number(message.sequence));
      expect(sequences).toEqual(Array.from({ length: BLOCKS * FRAMES }, (_, index) => index + 1));
    }
    // The times of a frame and of the row that begins with it are the same.
    const times = new Map(
      indexed.filter(({ topic }) => topic === '/transition').map((one) => [one.message.sequence, one.logTime]),
    );
    for (const { message, logTime } of indexed.filter(({ topic }) => topic === '/raw/imu')) {
      expect(logTime).toBe(times.get(message.sequence));
    }
    expect(await verifyDirectory(directory)).toMatchObject({
      rows: EXPECTED['/transition'],
      events: BLOCKS,
      tapeBlocks: BLOCKS,
      gaps: 0,
      tapeGaps: 0,
      ok: true,
      files: [{ raw: 4 * BLOCKS * FRAMES }],
    });
  });

  it('that is still being written is read by a stream reader', async () => {
    const { directory } = await everything();
    const [file = ''] = readdirSync(directory).filter(isSegment);
    expect(file).toMatch(/\.part$/);
    expect(count(readStream(join(directory, file)))).toEqual(EXPECTED);
  });
});

describe('sensors one by one', () => {
  it('are left out together with their block when there is no room', async () => {
    const kit = await recording(temporaryFolder(), { waitingBytes: 20_000 }, ['imu']);
    const release = kit.disk.hold();
    for (let number = 0; number < 40; number++) kit.recorder.tape(blockNumber(number));
    expect(kit.recorder.counters.tapeDropped).toBeGreaterThan(20);
    release();
    await kit.recorder.stop();
    const { tapeBlocks, files } = await verifyDirectory(kit.directory);
    expect(tapeBlocks).toBe(40 - kit.recorder.counters.tapeDropped);
    expect(files.reduce((sum, { raw }) => sum + raw, 0)).toBe(FRAMES * tapeBlocks);
  });
});
