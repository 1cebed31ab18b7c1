import { join } from 'node:path';
import type { McapTypes } from '@mcap/core';
import { bootText, CHANNELS, SCHEMAS } from './channels.ts';
import type { RecorderClock } from './clock.ts';
import type { Disk } from './disk.ts';
import type { RecorderLimits } from './limits.ts';
import type { RawChannels } from './raw-channels.ts';
import type { RowKey } from './row-key.ts';
import { PART, SEALED, segmentStem } from './segment-name.ts';
import { SegmentWriter } from './segment-writer.ts';

export interface RollingSegmentsOptions {
  readonly directory: string;
  readonly robot: string;
  readonly revision: string;
  readonly clock: RecorderClock;
  readonly disk: Disk;
  readonly limits: RecorderLimits;
  /** channels beside those that every segment has */
  readonly raw: Pick<RawChannels, 'schemas' | 'channels'> | undefined;
  /** called when the open segment has reached its age: it wants to be sealed */
  readonly onAge: () => void;
}

interface OpenSegment {
  readonly file: SegmentWriter;
  readonly boot: bigint;
  /** by the clock that never goes back [ms] */
  readonly openedMs: number;
}

/** The segment that is open now, and the change to the next one. One operation at a time; all reject with node's errors. */
export class RollingSegments {
  /** segments sealed so far */
  sealed = 0;
  /** what the next segment says about itself, beside what each one does */
  behaviour: Readonly<Record<string, string>> = {};
  readonly #options: RollingSegmentsOptions;
  #open: OpenSegment | undefined;
  #cancelAge: (() => void) | undefined;

  constructor(options: RollingSegmentsOptions) {
    this.#options = options;
  }

  /**
   * Writes messages as one chunk; when it resolves they are on the medium.
   * @param boot of the rows among them; another boot begins another segment
   * @param expected names the segment if one is to be opened: its first row, or the one that would come next
   */
  async append(messages: readonly McapTypes.Message[], boot: bigint | undefined, expected: RowKey): Promise<void> {
    if (this.#open && boot !== undefined && this.#open.boot !== boot) await this.seal();
    this.#open ??= await this.#openNext(expected);
    await this.#open.file.append(messages);
  }

  get isFull(): boolean {
    return this.openBytes >= this.#options.limits.segmentBytes;
  }

  /** Length of the open one that is on the medium [bytes]. */
  get openBytes(): number {
    return this.#open?.file.bytes ?? 0;
  }

  /** Old enough to end with an episode. */
  get isOld(): boolean {
    const { clock, limits } = this.#options;
    return this.#open !== undefined && clock.monotonicMs() - this.#open.openedMs >= 1000 * limits.episodeSeconds;
  }

  /** One that cannot be sealed stays a `.part`, to be repaired. In either case none is open after it. */
  async seal(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    this.#cancelAge?.();
    if (open === undefined) return;
    try {
      await open.file.seal();
      this.sealed += 1;
    } catch (error) {
      await open.file.abandon();
      throw error;
    }
  }

  async #openNext({ boot, sequence }: RowKey): Promise<OpenSegment> {
    const { directory, robot, revision, clock, disk, limits, raw, onAge } = this.#options;
    const stem = await this.#freeStem({ robot, boot, firstSequence: sequence });
    const file = new SegmentWriter({
      disk,
      path: join(directory, `${stem}${PART}`),
      metadata: new Map([
        ...Object.entries(this.behaviour),
        ['robot', robot],
        ['boot', bootText(boot)],
        ['revision', revision],
        ['openedWallNs', String(clock.wallNs())],
        ['openedMonotonicMs', String(clock.monotonicMs())],
      ]),
      ...(raw && { schemas: [...SCHEMAS, ...raw.schemas], channels: [...CHANNELS, ...raw.channels] }),
    });
    await file.open();
    this.#cancelAge = clock.after(1000 * limits.segmentSeconds, onAge);
    return { file, boot, openedMs: clock.monotonicMs() };
  }

  /** A name that no segment has: nothing that was recorded is ever replaced. */
  async #freeStem(name: { robot: string; boot: bigint; firstSequence: bigint }): Promise<string> {
    const { directory, disk } = this.#options;
    for (let copy = 1; ; copy++) {
      const stem = segmentStem({ ...name, copy });
      const taken = await Promise.all([PART, SEALED].map((ending) => disk.exists(join(directory, `${stem}${ending}`))));
      if (!taken.includes(true)) return stem;
    }
  }
}
