import type { TapedRun, TapedValue } from '../../messages/tape.ts';
import type { Controllers } from '../controllers/controllers.ts';
import type { Estimator } from '../estimate.ts';
import type { EpisodeClock } from '../observe.ts';
import type { RobotControl } from '../robot-control.ts';

/** The parts of the control loop that remember something from frame to frame. */
export interface LoopParts {
  readonly estimator: Estimator;
  readonly episodes: EpisodeClock;
  readonly controllers: Controllers;
  readonly control: RobotControl;
}

/** All that the loop remembers between two frames, as plain data. */
export const rememberLoop = ({ estimator, episodes, controllers, control }: LoopParts) => ({
  estimator: estimator.remember(),
  episodes: episodes.remember(),
  controllers: controllers.remember(),
  control: control.remember(),
});
export type LoopMemory = ReturnType<typeof rememberLoop>;

export function recallLoop({ estimator, episodes, controllers, control }: LoopParts, memory: LoopMemory): void {
  estimator.recall(memory.estimator);
  episodes.recall(memory.episodes);
  controllers.recall(memory.controllers);
  control.recall(memory.control);
}

/** From here a replay can begin. */
export interface Snapshot {
  readonly run: TapedRun;
  /** facts from outside, as they stand */
  readonly outside: Readonly<Record<string, TapedValue>>;
  readonly memory: LoopMemory;
}

/** JSON, with the numbers that JSON does not have. */
export const encodeSnapshot = (snapshot: Snapshot): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify(snapshot, (_, value) => {
      if (typeof value === 'bigint') return `#${value}n`;
      if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) {
        return `#${Object.is(value, -0) ? '-0' : value}`;
      }
      return value;
    }),
  );

/**
 * Only for a snapshot of the very version that reads it: what the loop remembers is its own business.
 * @returns `undefined` when it is none
 */
export function decodeSnapshot(bytes: Uint8Array): Snapshot | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(bytes), (_, value) => {
      if (typeof value !== 'string' || !value.startsWith('#')) return value;
      return value.endsWith('n') ? BigInt(value.slice(1, -1)) : Number(value.slice(1));
    });
  } catch {
    return undefined;
  }
}
