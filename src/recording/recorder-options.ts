import type { RawSensor } from '../messages/config.ts';
import type { RecorderClock } from './clock.ts';
import type { Disk } from './disk.ts';
import type { RecorderLimits } from './limits.ts';
import type { RowKey } from './row-key.ts';

export interface RecorderProblem {
  /** the first two stop the recording until they are over; the others are news */
  readonly kind: 'disk-full' | 'io-error' | 'too-slow' | 'segment-damaged' | 'repair-failed';
  readonly message: string;
}

export interface RecorderOptions {
  readonly directory: string;
  /** name of the robot, as in its configuration */
  readonly robot: string;
  /** version of this software */
  readonly revision: string;
  readonly clock?: RecorderClock;
  readonly disk?: Disk;
  readonly limits?: Partial<RecorderLimits>;
  /** sensors that get a channel of their own, beside the tape that holds them all */
  readonly raw?: readonly RawSensor[];
  /** every row of this boot up to this one is on the medium, or is accounted for by a gap; must not throw */
  readonly onDurable: (last: RowKey) => void;
  /** told once, not again while it lasts; must not throw */
  readonly onProblem: (problem: RecorderProblem) => void;
  /** recording goes on after a `disk-full` or `io-error`; must not throw */
  readonly onRecovered?: () => void;
}
