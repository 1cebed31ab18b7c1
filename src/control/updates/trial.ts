import type { TrialReport } from '../../messages/policy-updates.ts';
import { limitBit } from '../../messages/states.ts';
import type { Robot } from '../../robot/robot.ts';
import { activeConditions, conditionBit } from '../../safety/failsafe-table.ts';
import type { Actuated } from '../tick.ts';
import { MORE, POLICY_LIMITS } from './outside.ts';
import { percent } from './rehearsal.ts';

/** What a trial looks at of a frame that was answered. */
export type TrialFrame = Pick<
  Actuated,
  'dtUs' | 'limits' | 'conditions' | 'robotState' | 'controller' | 'policyHash' | 'state'
>;

/** Frames on which the guard may act without being held against a policy: the change itself is one of them. */
const FREE_FRAMES = 10;
/** How many latest frames count most for what is usual: half a minute at 200 Hz. */
const USUAL_FRAMES = 6000;

/** Fewer running frames say nothing of what is usual: five seconds at 200 Hz. */
const LEAST_FRAMES = 1000;
/** What counts as usual lean at most, of `limits.fallTilt`: a mount that is more askew is to be mended and not got used to. */
const MOST_USUAL = 2 / 3;

/** How the robot leans in the mean while it runs: what its load, and the mount of its IMU, make of upright [rad]. */
export class UsualLean {
  #frames = 0;
  #mean = 0;

  frame({ robotState, state: { pitch } }: Pick<TrialFrame, 'robotState' | 'state'>): void {
    if (robotState !== 'running' || !Number.isFinite(pitch)) return;
    this.#frames = Math.min(this.#frames + 1, USUAL_FRAMES);
    this.#mean += (pitch - this.#mean) / this.#frames;
  }

  /** 0 until enough was seen. */
  get value(): number {
    return this.#frames < LEAST_FRAMES ? 0 : this.#mean;
  }
}

/** How often the guard acts on what a policy asks for, in the long run. */
export class GuardTally {
  readonly #shares = new Map<bigint, { frames: number; limited: number }>();

  frame({ controller, policyHash, robotState, limits }: TrialFrame): void {
    if (controller !== 'policy' || robotState !== 'running') return;
    const of = this.#shares.get(policyHash) ?? { frames: 0, limited: 0 };
    of.frames = Math.min(of.frames + 1, USUAL_FRAMES);
    of.limited += (Number((limits & POLICY_LIMITS) !== 0) - of.limited) / of.frames;
    this.#shares.set(policyHash, of);
    // Only a few are ever of interest; one that has not run for long is forgotten with the rest.
    const [oldest] = this.#shares.keys();
    if (this.#shares.size > 64 && oldest !== undefined) this.#shares.delete(oldest);
  }

  /** Share of frames, 0 to 1; 0 for one that has not been in charge: then every frame counts. */
  share(policyHash: bigint | undefined): number {
    return policyHash === undefined ? 0 : (this.#shares.get(policyHash)?.limited ?? 0);
  }
}

export interface TrialOptions {
  readonly id: string;
  readonly hash: bigint;
  /** seconds in charge */
  readonly wanted: number;
  /** share of frames on which the guard acted on the one before */
  readonly limitedBefore: number;
  /** `UsualLean` before it took over [rad] */
  readonly leanBefore: number;
  readonly robot: Robot;
}

/**
 * A version in charge, until it has proved itself. Whatever happens to a robot that it drives counts against it, whoever is
 * to blame: a push, a button, a lost heartbeat. A version that was good can be tried again; a robot that fell cannot.
 */
export class Trial {
  readonly id: string;
  readonly #options: TrialOptions;
  /** pitch that is upright, for all that is known [rad] */
  readonly #upright: number;
  #seconds = 0;
  #frames = 0;
  #limited = 0;
  /** it has been in charge since the robot last was disarmed */
  #began = false;

  constructor(options: TrialOptions) {
    this.id = options.id;
    this.#options = options;
    const most = MOST_USUAL * options.robot.limits.fallTilt;
    this.#upright = Math.min(most, Math.max(-most, options.leanBefore));
  }

  get report(): TrialReport {
    const { wanted, limitedBefore } = this.#options;
    return { seconds: this.#seconds, wanted, frames: this.#frames, limited: this.#limited, limitedBefore };
  }

  get isOver(): boolean {
    return this.#seconds >= this.#options.wanted;
  }

  /**
   * @param controller of the mode in force; `undefined` while disarmed
   * @returns what speaks against the version
   */
  frame(frame: TrialFrame, controller: string | undefined): string | undefined {
    const { hash, robot, limitedBefore } = this.#options;
    if (controller !== this.id) {
      this.#began = false;
      return undefined;
    }
    const { limits, robotState } = frame;
    const inCharge = frame.controller === 'policy' && frame.policyHash === hash && robotState === 'running';
    this.#began ||= inCharge;
    const tripped = activeConditions(frame.conditions).filter(({ action }) => action !== 'warn');
    if (this.#began && tripped.length > 0) return `failsafe: ${tripped.map(({ id }) => id).join(', ')}`;
    if (this.#began && robotState !== 'running') return `failsafe: the robot is ${robotState}`;
    if ((limits & limitBit('non-finite')) !== 0) return 'action: it is no number';
    if (!inCharge) return undefined;
    if ((frame.conditions & conditionBit('overrun')) !== 0n) return 'failsafe: overrun';
    const { fallTilt, fallHorizon } = robot.limits;
    // Where it will be by the time that the robot has fallen by a factor of e; from here the one before can still catch it.
    const lean = Math.abs(frame.state.pitch - this.#upright + frame.state.pitchRate * fallHorizon);
    if (!(lean <= fallTilt)) return `lean: the robot is falling (${lean.toFixed(2)} rad, limit ${fallTilt} rad)`;
    this.#seconds += frame.dtUs / 1e6;
    this.#frames += 1;
    if ((limits & POLICY_LIMITS) !== 0) this.#limited += 1;
    const most = FREE_FRAMES + this.#frames * (limitedBefore + MORE);
    if (this.#limited <= most) return undefined;
    return `guard: it acted on ${this.#limited} of ${this.#frames} frames, on ${percent(limitedBefore)} of those of the version before`;
  }
}
