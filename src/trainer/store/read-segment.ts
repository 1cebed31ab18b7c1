import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename, dirname } from 'node:path';
import { peekRow } from '../../recording/row-key.ts';
import { SEALED, segmentStem } from '../../recording/segment-name.ts';
import { SegmentReader } from '../../recording/segment-reader.ts';
import { verifyFile } from '../../recording/verify.ts';
import type { StoredSegment } from './stored-segment.ts';

/** SHA-256 of a file, hexadecimal. @throws node's errors */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path, { highWaterMark: 1 << 18 })) hash.update(part);
  return hash.digest('hex');
}

/** What a segment says when it is read as a whole. */
export type Contents = Pick<StoredSegment, 'bytes' | 'rows' | 'tasks' | 'from' | 'to'>;

const inMs = (ns: bigint | undefined): number | null => (ns === undefined ? null : Number(ns / 1_000_000n));

/** Reads a segment to its end. @returns what is in it, or why it is not whole */
export async function readWhole(path: string): Promise<Contents | { readonly reason: string }> {
  const report = await verifyFile(dirname(path), basename(path));
  if (report.state !== 'sealed') return { reason: report.reason ?? 'it has no end' };
  const { bytes, rows, tasks, firstNs, lastNs } = report;
  return { bytes, rows, tasks: [...tasks], from: inMs(firstNs), to: inMs(lastNs) };
}

/** The robot and file name that a segment had, from what it says itself. */
export async function originOf(path: string): Promise<{ robot: string; segment: string }> {
  const reader = new SegmentReader(path);
  for await (const messages of reader.chunks()) {
    const robot = reader.metadata.get('robot') ?? 'unknown';
    const named = reader.metadata.get('boot') ?? '0';
    let boot = /^[0-9a-f]{16}$/.test(named) ? BigInt(`0x${named}`) : 0n;
    let firstSequence = 0n;
    for (const message of messages) {
      const bytes = reader.rowOf(message);
      const key = bytes && peekRow(bytes);
      if (!key) continue;
      boot = key.boot;
      firstSequence = key.sequence;
      break;
    }
    return { robot, segment: `${segmentStem({ robot, boot, firstSequence, copy: 1 })}${SEALED}` };
  }
  return { robot: 'unknown', segment: basename(path) };
}
