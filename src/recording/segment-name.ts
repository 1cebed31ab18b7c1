import { bootText } from './channels.ts';

/** `.part`: being written, or cut off by a crash. `.mcap`: sealed, never touched again. `.damaged`: kept aside by a repair. */
export const PART = '.part';
export const SEALED = '.mcap';
export const DAMAGED = '.damaged';
/** A repair that has not come to its end; worth nothing. */
export const REPAIRING = '.repairing';

export interface SegmentName {
  readonly robot: string;
  readonly boot: bigint;
  readonly firstSequence: bigint;
  /** above 1 when the same first row had been announced before and never came */
  readonly copy: number;
}

/** Sorts as it counts, for longer than a robot lives (158 years at 200 Hz). */
const SEQUENCE_DIGITS = 12;

/** `<robot>-<boot, hex>-<first sequence>`, without the ending. */
export function segmentStem({ robot, boot, firstSequence, copy }: SegmentName): string {
  const sequence = String(firstSequence).padStart(SEQUENCE_DIGITS, '0');
  return `${robot}-${bootText(boot)}-${sequence}${copy > 1 ? `.${copy}` : ''}`;
}

/** The parts of a segment's file name, whatever its ending; `undefined` when it is not one. */
export function parseSegmentName(file: string): SegmentName | undefined {
  const match = /^(.+)-([0-9a-f]{16})-(\d{12,20})(?:\.(\d{1,6}))?\.(?:mcap|part|damaged|repairing)$/.exec(file);
  const [, robot, boot, sequence, copy] = match ?? [];
  if (robot === undefined || boot === undefined || sequence === undefined) return undefined;
  return { robot, boot: BigInt(`0x${boot}`), firstSequence: BigInt(sequence), copy: Number(copy ?? 1) };
}

/** Segments in the order in which their rows were made; runs of `control` have no order of their own. */
export function bySequence(a: string, b: string): number {
  const [left, right] = [parseSegmentName(a), parseSegmentName(b)];
  if (left === undefined || right === undefined) return a < b ? -1 : 1;
  if (left.boot !== right.boot) return left.boot < right.boot ? -1 : 1;
  if (left.firstSequence !== right.firstSequence) return left.firstSequence < right.firstSequence ? -1 : 1;
  return left.copy - right.copy;
}

/** Whether a file is a segment that can be read, sealed or not. */
export const isSegment = (file: string): boolean =>
  (file.endsWith(SEALED) || file.endsWith(PART)) && parseSegmentName(file) !== undefined;
