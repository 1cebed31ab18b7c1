import type { z } from 'zod';
import type { Config } from '../../src/messages/config.ts';
import type { TaskName } from '../../src/robot/tasks/task.ts';
import type { ConditionId } from '../../src/safety/failsafe-table.ts';
import type { simRequestSchema } from '../../src/simulation/sim-requests.ts';

/** What goes wrong with control's process and with what it leans on. Times are MCU time [s]. */
export type HostTrouble =
  /** the event loop stands still, asleep or collecting garbage, so many times with a pause in between */
  | {
      readonly kind: 'stall';
      readonly seconds: number;
      readonly work: 'sleep' | 'garbage';
      readonly times?: number;
      readonly pause?: number;
    }
  /** SIGSTOP, then SIGCONT */
  | { readonly kind: 'freeze'; readonly seconds: number }
  /** SIGKILL */
  | { readonly kind: 'kill' }
  /** SIGTERM */
  | { readonly kind: 'terminate' }
  /** the wall clock steps [ms] */
  | { readonly kind: 'clock-step'; readonly milliseconds: number }
  | { readonly kind: 'broker-dies' }
  /** somebody stops it */
  | { readonly kind: 'estop'; readonly disk: 'well' | 'dead' }
  /** who recorded the rows takes no more of them */
  | { readonly kind: 'rows-unread' }
  /** the heartbeats of whoever watched end */
  | { readonly kind: 'operator-silent' }
  /** the cable is out for a while */
  | { readonly kind: 'unplug'; readonly seconds: number };

/** What is promised for a fault in a task. */
export interface Promised {
  /** it goes on, does not fall, and at most warnings are named */
  readonly goesOn?: true;
  /** one of these is named, and the highest action among all that are decides how it ends */
  readonly by?: readonly ConditionId[];
  /** control hears nothing or is gone and can name nothing; the motor controller stops by itself */
  readonly mcuAlone?: true;
}

export type SimulatorRequest = z.input<typeof simRequestSchema>;

export interface Fault {
  /** a word for tests and for the command line */
  readonly id: string;
  /** for people */
  readonly says: string;
  /** what the simulator is told */
  readonly simulator?: readonly SimulatorRequest[];
  readonly host?: HostTrouble;
  /** further keys of the configuration that it needs */
  readonly config?: Partial<Config>;
  /** a broker must run */
  readonly broker?: true;
  readonly promised: Readonly<Record<TaskName, Promised>>;
}

export const GOES_ON: Promised = { goesOn: true };
/** the motor controller stops by itself */
export const MCU_ALONE: Promised = { mcuAlone: true };

/** One of these is named. */
export const by = (...conditions: ConditionId[]): Promised => ({ by: conditions });
/** Either nothing comes of it, or it is named: chance decides, or how the robot moves. */
export const goesOnOr = (...conditions: ConditionId[]): Promised => ({ goesOn: true, by: conditions });

export const inBoth = (promised: Promised): Fault['promised'] => ({
  'standing-still': promised,
  'moving-straight': promised,
});
