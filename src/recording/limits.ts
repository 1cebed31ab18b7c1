import type { Config, WhenFull } from '../messages/config.ts';

export interface RecorderLimits {
  /** length at which a segment is sealed [bytes] */
  readonly segmentBytes: number;
  /** age at which a segment is sealed [s] */
  readonly segmentSeconds: number;
  /** age from which on a segment is sealed at the end of an episode: falls in a row make no folder of crumbs [s] */
  readonly episodeSeconds: number;
  /** what all segments of the folder may take [bytes] */
  readonly budgetBytes: number;
  /** age at which a sealed segment is given up, if that is allowed [s] */
  readonly keepSeconds: number;
  /** the same for those that somebody else is known to hold [s] */
  readonly keepAcknowledgedSeconds: number;
  /** what happens when the budget, or the space that is left to others, is reached */
  readonly whenFull: WhenFull;
  /** space that is left to others: with less, recording stops [bytes] */
  readonly minimumFreeBytes: number;
  /** messages that wait for a slow disk; what does not fit is dropped and counted [bytes] */
  readonly waitingBytes: number;
}

export const DEFAULT_LIMITS: RecorderLimits = {
  segmentBytes: 16 << 20,
  segmentSeconds: 60,
  episodeSeconds: 15,
  budgetBytes: Number.POSITIVE_INFINITY,
  keepSeconds: Number.POSITIVE_INFINITY,
  keepAcknowledgedSeconds: Number.POSITIVE_INFINITY,
  whenFull: 'stop',
  minimumFreeBytes: 64 << 20,
  waitingBytes: 4 << 20,
};

/** The limits that a configuration asks for. A megabyte is a million bytes. */
export const limitsOf = ({
  recording,
  upload,
}: Pick<Config, 'recording' | 'upload'>): Omit<RecorderLimits, 'waitingBytes'> => ({
  segmentBytes: Math.round(1e6 * recording.segmentMegabytes),
  segmentSeconds: recording.segmentSeconds,
  episodeSeconds: recording.segmentSeconds / 4,
  minimumFreeBytes: Math.round(1e6 * recording.leaveFreeMegabytes),
  budgetBytes: Math.round(1e6 * recording.maxMegabytes),
  keepSeconds: recording.maxDays === 0 ? Number.POSITIVE_INFINITY : 86_400 * recording.maxDays,
  keepAcknowledgedSeconds: upload.keep === 0 ? Number.POSITIVE_INFINITY : 86_400 * upload.keep,
  whenFull: recording.whenFull,
});
