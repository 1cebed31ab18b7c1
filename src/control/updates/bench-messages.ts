import type { TrustEntry } from '../../keys/trust-store.ts';
import type { Replayed, SelfTest } from '../../messages/policy-updates.ts';
import type { BodyReadings } from '../../policy/observation.ts';
import type { Robot } from '../../robot/robot.ts';
import type { TaskName, TaskState } from '../../robot/tasks/task.ts';

/** What control and the process that tries policies say to each other. */

/** A folder of a bundle, by the folder that it lies in and its own name: neither may be a symbolic link. */
export interface BundlePlace {
  readonly base: string;
  readonly name: string;
}

export interface VetRequest extends BundlePlace {
  readonly do: 'vet';
  readonly robot: Robot;
  readonly trust: readonly TrustEntry[];
  /** wall clock [ms since 1970] */
  readonly now: number;
}

/** What the manifest says, and sums over what was read. */
export interface BundleSummary {
  readonly id: string;
  readonly version: number;
  readonly task: TaskName;
  readonly rate: number;
  readonly sha256: string;
  readonly manifest: string;
  readonly spec: string;
  readonly keyId: string;
  readonly observationSize: number;
  /** of all three files */
  readonly bytes: number;
}

export interface VetAnswer {
  readonly id: string;
  /** as the manifest says, whoever wrote it; 0 and empty if it could not be read */
  readonly version: number;
  readonly sha256: string;
  readonly reasons: readonly string[];
  /** only if there is no reason against it */
  readonly summary: BundleSummary | undefined;
}

/** Each is about the bundle that was vetted last, whose bytes the process keeps. */
export type BenchRequest =
  | VetRequest
  | {
      readonly do: 'store';
      readonly directory: string;
      /** folder of all versions, and what they may take together [bytes] */
      readonly root: string;
      readonly most: number;
    }
  | { readonly do: 'self-test'; readonly budgetUs: number }
  /** encoded rows, one after the other; for `replay` */
  | { readonly do: 'rows'; readonly rows: Uint8Array }
  | { readonly do: 'replay'; readonly robot: Robot /** of the rows [Hz] */; readonly rate: number }
  /** the vetted bundle becomes the one that runs beside the active one */
  | { readonly do: 'shadow'; readonly robot: Robot /** of sensor frames [Hz] */; readonly rate: number }
  | { readonly do: 'unshadow' };

export interface SelfTestAnswer {
  readonly reasons: readonly string[];
  readonly found: SelfTest;
}

export interface ReplayAnswer {
  readonly reasons: readonly string[];
  readonly found: Replayed;
}

/** One decision of the shadow. It is answered when it is answered; control does not wait. */
export interface Observe {
  readonly do: 'observe';
  readonly n: number;
  /** what it remembers of before is of another time */
  readonly reset: boolean;
  readonly state: TaskState;
  readonly sentTorque: number;
  readonly body: BodyReadings;
}

export interface Observation {
  readonly observed: number;
  /** what it would have asked for, total of both wheels [N·m]; NaN if it failed */
  readonly torque: number;
  readonly tookUs: number;
  /** the guard would have acted on it */
  readonly outside: boolean;
}

export type ToBench = ({ readonly id: number } & BenchRequest) | Observe;
export type FromBench =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly problem: string }
  | Observation;
