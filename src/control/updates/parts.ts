import type { TrustStore } from '../../keys/trust-store.ts';
import type { Config } from '../../messages/config.ts';
import type { Robot } from '../../robot/robot.ts';
import type { PolicyRunner } from '../controllers/policy-runner.ts';
import type { ControlEvent, RobotControl } from '../robot-control.ts';
import type { Bench } from './bench.ts';
import type { SlotsFile } from './slots-file.ts';
import type { VersionStore } from './store.ts';

/** What versions of policies on this robot need from outside; each of the classes here takes what it uses. */
export interface PolicyUpdatesParts {
  readonly config: Config;
  readonly robot: Robot;
  readonly trust: TrustStore;
  readonly bench: Bench;
  readonly store: VersionStore;
  readonly file: SlotsFile;
  /** folder into which the gateway puts what it has fetched */
  readonly incoming: string;
  /** what the controllers find under each id; changed between frames */
  readonly policies: Map<string, PolicyRunner>;
  readonly control: Pick<RobotControl, 'safety' | 'policyChanged'>;
  /** sensor frames a second [Hz] */
  readonly rate: () => number;
  /** wall clock [ms since 1970] */
  readonly wall: () => number;
  readonly tell: (event: ControlEvent) => void;
  /** why versions cannot be kept; empty if they can */
  readonly problem?: string;
}
