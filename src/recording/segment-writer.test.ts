import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { McapIndexedReader, McapStreamReader, type McapTypes } from '@mcap/core';
import { describe, expect, it } from 'vitest';
import { eventMessage } from './channels.ts';
import { messagesOf, range, rowsIn, TroubledDisk, temporaryFolder } from './recording.testing.ts';
import { readEvents, SegmentReader } from './segment-reader.ts';
import { SegmentWriter } from './segment-writer.ts';

async function opened(disk = new TroubledDisk()) {
  const path = join(temporaryFolder(), 'robot-1-0000000000c0ffee-000000000001.part');
  const writer = new SegmentWriter({ disk, path, metadata: new Map([['robot', 'robot-1']]) });
  await writer.open();
  return { path, writer, disk };
}

function event(text: string): McapTypes.Message {
  const message = eventMessage({ event: text, big: 2n ** 60n }, 0, 1_700_000_000_000_000_000n);
  if (message === undefined) throw new Error('no JSON');
  return message;
}

async function sealedSegment() {
  const { writer } = await opened();
  await writer.append([...messagesOf(1, 300), event('mode')]);
  await writer.append(messagesOf(301, 500));
  return writer.seal();
}

/** What another program's indexed reader needs of a file. */
const readable = (bytes: Uint8Array): McapTypes.IReadable => ({
  size: async () => BigInt(bytes.length),
  read: async (offset, size) => bytes.slice(Number(offset), Number(offset + size)),
});

const sequences = (messages: readonly McapTypes.Message[]) =>
  messages.filter(({ channelId }) => channelId === 1).map(({ sequence }) => sequence);

describe('a sealed segment', () => {
  it('is read by our reader', async () => {
    const path = await sealedSegment();
    expect(path).toMatch(/\.mcap$/);
    expect(await rowsIn(path)).toEqual(range(1, 500));
    const events = [];
    for await (const { event: content } of readEvents(path)) events.push(content);
    expect(events).toEqual([{ event: 'mode', big: String(2n ** 60n) }]);
    const reader = new SegmentReader(path);
    for await (const _ of reader.chunks());
    expect(reader.ending).toEqual({ kind: 'sealed' });
    expect(reader.metadata.get('robot')).toBe('robot-1');
  });

  it("is read by @mcap/core's stream reader, CRCs checked", async () => {
    const stream = new McapStreamReader({ validateCrcs: true });
    stream.append(readFileSync(await sealedSegment()));
    const messages: McapTypes.Message[] = [];
    const topics: string[] = [];
    for (let record = stream.nextRecord(); record; record = stream.nextRecord()) {
      if (record.type === 'Message') messages.push(record);
      if (record.type === 'Channel') topics.push(record.topic);
    }
    expect(stream.done()).toBe(true);
    expect(sequences(messages)).toEqual(range(1, 500));
    expect(new Set(topics)).toEqual(new Set(['/transition', '/event', '/tape']));
  });

  it("is read by @mcap/core's indexed reader, with its statistics and metadata", async () => {
    const file = readable(readFileSync(await sealedSegment()));
    const reader = await McapIndexedReader.Initialize({ readable: file });
    const messages: McapTypes.Message[] = [];
    for await (const message of reader.readMessages({ validateCrcs: true })) messages.push(message);
    expect(sequences(messages)).toEqual(range(1, 500));
    expect(reader.statistics).toMatchObject({ messageCount: 501n, chunkCount: 2, schemaCount: 3, channelCount: 3 });
    expect(reader.statistics?.channelMessageCounts).toEqual(
      new Map([
        [1, 500n],
        [2, 1n],
      ]),
    );
    const some: McapTypes.Message[] = [];
    const [startTime, endTime] = [messagesOf(400, 400)[0]?.logTime ?? 0n, messagesOf(410, 410)[0]?.logTime ?? 0n];
    for await (const message of reader.readMessages({ startTime, endTime })) some.push(message);
    expect(sequences(some)).toEqual(range(400, 410));
    const metadata = [];
    for await (const { metadata: entries } of reader.readMetadata()) metadata.push(entries.get('robot'));
    expect(metadata).toEqual(['robot-1']);
    expect([...reader.schemasById.values()].map(({ encoding }) => encoding)).toEqual([
      'ros2msg',
      'jsonschema',
      'ros2msg',
    ]);
  });

  it('carries wall time as log time', async () => {
    const stream = new McapStreamReader();
    stream.append(readFileSync(await sealedSegment()));
    for (let record = stream.nextRecord(); record; record = stream.nextRecord()) {
      if (record.type !== 'Message' || record.channelId !== 1) continue;
      expect(record.logTime).toBe(1_700_000_000_000_000_000n + 5_000_000n * BigInt(record.sequence));
      expect(record.publishTime).toBe(record.logTime);
    }
  });
});

describe('a disk that takes little at a time', () => {
  it('gets everything all the same', async () => {
    const { writer, disk } = await opened();
    disk.appetite = 1000;
    await writer.append(messagesOf(1, 200));
    expect(await rowsIn(await writer.seal())).toEqual(range(1, 200));
  });
});

describe.each(['ENOSPC', 'EIO'])('a write that fails with %s', (code) => {
  it('leaves what was safe before, and the file can be sealed', async () => {
    const { path, writer, disk } = await opened();
    await writer.append(messagesOf(1, 200));
    const safe = writer.bytes;
    if (code === 'ENOSPC') disk.room = 5000;
    else disk.broken.write = code;
    await expect(writer.append(messagesOf(201, 400))).rejects.toMatchObject({ code });
    expect(statSync(path).size).toBe(safe);
    disk.room = Number.POSITIVE_INFINITY;
    delete disk.broken.write;
    expect(await rowsIn(await writer.seal())).toEqual(range(1, 200));
  });

  it('can be tried again', async () => {
    const { writer, disk } = await opened();
    disk.room = 5000;
    await expect(writer.append(messagesOf(1, 200))).rejects.toThrow();
    disk.room = Number.POSITIVE_INFINITY;
    await writer.append(messagesOf(1, 200));
    expect(await rowsIn(await writer.seal())).toEqual(range(1, 200));
  });
});

describe('an fdatasync that fails', () => {
  it('is believed: nothing more is written to this file, and what was safe stays', async () => {
    const { path, writer, disk } = await opened();
    await writer.append(messagesOf(1, 200));
    disk.broken.sync = 'EIO';
    await expect(writer.append(messagesOf(201, 400))).rejects.toMatchObject({ code: 'EIO' });
    delete disk.broken.sync;
    await expect(writer.append(messagesOf(401, 600))).rejects.toThrow();
    await expect(writer.seal()).rejects.toThrow();
    await writer.abandon();
    expect((await rowsIn(path)).slice(0, 200)).toEqual(range(1, 200));
  });
});

describe('a file that exists', () => {
  it('is not written over', async () => {
    const { path, writer } = await opened();
    const second = new SegmentWriter({ disk: new TroubledDisk(), path, metadata: new Map() });
    await expect(second.open()).rejects.toMatchObject({ code: 'EEXIST' });
    await writer.abandon();
  });
});
