import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { acknowledgement, acknowledgementOf } from './acknowledged.ts';
import type { RecorderClock } from './clock.ts';
import type { Disk } from './disk.ts';
import type { RecorderLimits } from './limits.ts';
import { bySequence, DAMAGED, parseSegmentName, SEALED } from './segment-name.ts';

/** How often free space is looked at while recording [ms]. */
const CHECK_MS = 1_000;

/** No space left: found by looking, before the file system says so. */
class DiskFull extends Error {
  readonly code = 'ENOSPC';
}

/** Segments that were given up for newer ones. */
export interface Dropped {
  readonly files: readonly string[];
  readonly bytes: number;
  /** how many of them nobody else is known to have */
  readonly unacknowledged: number;
  readonly why: 'budget' | 'age';
}

export interface SpaceOptions {
  readonly directory: string;
  readonly disk: Disk;
  readonly clock: RecorderClock;
  readonly limits: RecorderLimits;
  /** must not throw */
  readonly onDropped: (dropped: Dropped) => void;
}

interface Stored {
  readonly file: string;
  readonly bytes: number;
  readonly writtenMs: number;
  readonly acknowledged: boolean;
}

/**
 * The space that recordings may take: a budget of their own, and what is left to others on the same disk. When either is
 * used up, the oldest segments go if the limits allow it, and what somebody else holds goes first; else recording stops.
 */
export class Space {
  readonly #options: SpaceOptions;
  #checkedMs = Number.NEGATIVE_INFINITY;
  /** of all files of recordings but the open segment, as counted last [bytes] */
  #stored = 0;
  #known = false;

  constructor(options: SpaceOptions) {
    this.#options = options;
  }

  /** Segments have come or gone: they are counted again before the next check. */
  changed(): void {
    this.#known = false;
  }

  /**
   * @param openBytes length of the open segment
   * @throws an error with code ENOSPC when too little is left
   */
  async check(openBytes: number): Promise<void> {
    const now = this.#options.clock.monotonicMs();
    if (this.#known && now - this.#checkedMs < CHECK_MS) return;
    this.#checkedMs = now;
    const lacking = await this.#makeRoom(openBytes, 0);
    if (lacking) throw new DiskFull(lacking);
  }

  /** Whether there is room for so many bytes more, once what may be dropped has been dropped. */
  async hasRoomFor(bytes: number): Promise<boolean> {
    this.#known = false;
    return (await this.#makeRoom(0, bytes)) === '';
  }

  /** @returns what is lacking, in words; nothing when there is room */
  async #makeRoom(openBytes: number, more: number): Promise<string> {
    const { directory, disk, limits } = this.#options;
    const { budgetBytes, minimumFreeBytes } = limits;
    if (!this.#known) await this.#count();
    // A budget of a few segments still goes on before it is half empty.
    const wanted = Math.min(more, budgetBytes / 4);
    const overBudget = () => this.#stored + openBytes + wanted - budgetBytes;
    const tooFew = async () => minimumFreeBytes + more - (await disk.freeBytes(directory));
    if (overBudget() <= 0 && (await tooFew()) <= 0) return '';
    const stock = await this.#count();
    const dropped: Stored[] = [];
    for (const one of this.#droppable(stock)) {
      if (overBudget() <= 0 && (await tooFew()) <= 0) break;
      await this.#drop(one);
      dropped.push(one);
    }
    this.#tell(dropped, 'budget');
    if (overBudget() > 0) return `recordings in ${directory} have used up their budget of ${budgetBytes} bytes`;
    return (await tooFew()) > 0
      ? `${directory} has less than the ${minimumFreeBytes + more} bytes free that are wanted`
      : '';
  }

  /** In the order in which they go. */
  #droppable(stock: readonly Stored[]): Stored[] {
    const { whenFull } = this.#options.limits;
    if (whenFull === 'stop') return [];
    const sealed = stock.filter(({ file }) => file.endsWith(SEALED) || file.endsWith(DAMAGED));
    const acknowledged = sealed.filter((one) => one.acknowledged);
    return whenFull === 'drop-oldest' ? [...acknowledged, ...sealed.filter((one) => !one.acknowledged)] : acknowledged;
  }

  /** All files of recordings, the oldest first; those that are too old are gone after it. The open segment is not counted. */
  async #count(): Promise<Stored[]> {
    const { directory, clock, limits } = this.#options;
    const stored: Stored[] = [];
    for (const file of await readdir(directory)) {
      if (parseSegmentName(file) === undefined || !(file.endsWith(SEALED) || file.endsWith(DAMAGED))) continue;
      const path = join(directory, file);
      // Removed by someone since the folder was listed.
      const found = await stat(path).catch(() => undefined);
      if (!found) continue;
      const acknowledged = file.endsWith(SEALED) && (await acknowledgement(path, found.size)) !== undefined;
      stored.push({ file, bytes: found.size, writtenMs: found.mtimeMs, acknowledged });
    }
    stored.sort((a, b) => a.writtenMs - b.writtenMs || bySequence(a.file, b.file));
    this.#stored = stored.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#known = true;
    const nowMs = Number(clock.wallNs() / 1_000_000n);
    const old = stored.filter(({ acknowledged, writtenMs }) => {
      const age = nowMs - writtenMs;
      if (acknowledged && age > 1000 * limits.keepAcknowledgedSeconds) return true;
      return age > 1000 * limits.keepSeconds && (acknowledged || limits.whenFull === 'drop-oldest');
    });
    for (const one of old) await this.#drop(one);
    this.#tell(old, 'age');
    return stored.filter((one) => !old.includes(one));
  }

  async #drop({ file, bytes }: Stored): Promise<void> {
    const { directory, disk } = this.#options;
    const path = join(directory, file);
    await disk.remove(path);
    // After it: an acknowledgement without a segment harms nobody, the other way round it would be missed.
    if (file.endsWith(SEALED)) await disk.remove(acknowledgementOf(path));
    this.#stored -= bytes;
  }

  #tell(dropped: readonly Stored[], why: Dropped['why']): void {
    if (dropped.length === 0) return;
    this.#options.onDropped({
      files: dropped.map(({ file }) => file),
      bytes: dropped.reduce((sum, { bytes }) => sum + bytes, 0),
      unacknowledged: dropped.filter(({ acknowledged }) => !acknowledged).length,
      why,
    });
  }
}
