import type { RecorderClock } from './clock.ts';
import type { Disk } from './disk.ts';

export interface RecorderLimits {
  /** length at which a segment is sealed [bytes] */
  readonly segmentBytes: number;
  /** age at which a segment is sealed [s] */
  readonly segmentSeconds: number;
  /** space that is left to others: with less, recording stops [bytes] */
  readonly minimumFreeBytes: number;
  /** messages that wait for a slow disk; what does not fit is dropped and counted [bytes] */
  readonly waitingBytes: number;
}

export const DEFAULT_LIMITS: RecorderLimits = {
  segmentBytes: 16 << 20,
  segmentSeconds: 60,
  minimumFreeBytes: 64 << 20,
  waitingBytes: 4 << 20,
};

/** How often free space is looked at while recording [ms]. */
const SPACE_CHECK_MS = 1_000;

/** No space left: found by looking, before the file system says so. */
class DiskFull extends Error {
  readonly code = 'ENOSPC';
}

/** Looks from time to time whether enough space is left to others. */
export class SpaceGuard {
  readonly #disk: Disk;
  readonly #clock: RecorderClock;
  readonly #directory: string;
  readonly #minimum: number;
  #checkedMs = Number.NEGATIVE_INFINITY;

  constructor(disk: Disk, clock: RecorderClock, directory: string, minimum: number) {
    this.#disk = disk;
    this.#clock = clock;
    this.#directory = directory;
    this.#minimum = minimum;
  }

  /** @throws an error with code ENOSPC when too little is left */
  async check(): Promise<void> {
    const now = this.#clock.monotonicMs();
    if (now - this.#checkedMs < SPACE_CHECK_MS) return;
    this.#checkedMs = now;
    if (await this.hasRoomFor(0)) return;
    throw new DiskFull(`${this.#directory} has less than the ${this.#minimum} bytes free that are left to others`);
  }

  async hasRoomFor(bytes: number): Promise<boolean> {
    return (await this.#disk.freeBytes(this.#directory)) >= this.#minimum + bytes;
  }
}
