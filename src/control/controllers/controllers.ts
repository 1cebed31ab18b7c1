import { EdgeError } from '../../errors.ts';
import type { ArmedMode } from '../../messages/mode.ts';
import type { ControllerKind } from '../../messages/row.ts';
import { limitBit } from '../../messages/states.ts';
import { type Balancer, createBalancer } from '../../policy/balancer.ts';
import { headingTorque } from '../../policy/heading.ts';
import type { Robot } from '../../robot/robot.ts';
import { taskByName } from '../../robot/tasks/tasks.ts';
import { decimation, isUsableRate } from '../../safety/arming.ts';
import { type DelayLimits, delayLimits } from '../../safety/delay-budget.ts';
import type { TorqueRequest } from '../../safety/guard.ts';
import { inFallback, type SafetyState } from '../../safety/supervisor.ts';
import type { Observed } from '../tick.ts';
import { Explorer, NO_SET_POINT } from './explorer.ts';
import type { PolicyRunner } from './policy-runner.ts';

export interface Decision {
  readonly request: TorqueRequest;
  readonly controller: ControllerKind;
  readonly policyHash: bigint;
  readonly observation: readonly number[];
  readonly requestLimits: number;
}

const NOTHING: Decision = {
  request: { total: 0, steering: 0 },
  controller: 'none',
  policyHash: 0n,
  observation: [],
  requestLimits: 0,
};

/** A late run counts as much as four runs in time, see `policy-late` in the failsafe table. */
const LATE = 4;

/** Who asks for torque: nobody, the balancer, or a policy with the balancer in reserve. */
export class Controllers {
  /** for the failsafe table */
  lateness = 0;
  nonFinite = 0;
  /** for how long the policy's action has been at or beyond the same end of its range [µs] */
  saturatedUs = 0;
  /** decisions in a row on an observation outside the range of the policy's manifest */
  outOfRange = 0;
  readonly #robot: Robot;
  readonly #policies: ReadonlyMap<string, PolicyRunner>;
  readonly #nowNs: () => bigint;
  #rate: number;
  #delayLimits: DelayLimits | undefined;
  #balancer: Balancer;
  #balancerInCharge = false;
  #mode: ArmedMode | undefined;
  #policy: PolicyRunner | undefined;
  #framesPerDecision = 1;
  #framesToDecision = 0;
  #action = 0;
  /** +1 or -1 while the action is at that end of its range */
  #saturatedEnd = 0;
  /** yaw to keep: that of the mode's first frame [rad] */
  #heading: number | undefined;
  #explorer: Explorer | undefined;

  constructor(robot: Robot, policies: ReadonlyMap<string, PolicyRunner>, nowNs: () => bigint) {
    this.#robot = robot;
    this.#policies = policies;
    this.#nowNs = nowNs;
    this.#rate = robot.policy.rate;
    this.#balancer = createBalancer(robot, this.#rate);
  }

  policy(id: string): PolicyRunner | undefined {
    return this.#policies.get(id);
  }

  /**
   * The MCU announced its rate: the balancer is designed for it. This takes a fifth of a second and more, so it is done at
   * the greeting, when the MCU obeys nobody yet.
   * @returns whether this robot can be balanced at that rate; if not, nothing has changed
   */
  prepare(sensorRate: number): boolean {
    if (sensorRate === this.#rate) return true;
    if (!isUsableRate(sensorRate, this.#robot)) return false;
    try {
      this.#balancer = createBalancer(this.#robot, sensorRate);
      this.#rate = sensorRate;
      return true;
    } catch (error) {
      if (error instanceof EdgeError) return false;
      throw error;
    }
  }

  /** What delay the balancer tolerates at its rate; asked for the first time it takes a moment. */
  get delayLimits(): DelayLimits {
    if (this.#delayLimits?.rate !== this.#rate) {
      this.#delayLimits = delayLimits(this.#robot, this.#rate, this.#balancer.design.gains);
    }
    return this.#delayLimits;
  }

  /** The rate that the balancer is designed for [Hz]. */
  get rate(): number {
    return this.#rate;
  }

  /** All that it remembers, as plain data; see `tape/snapshot.ts`. */
  remember() {
    return {
      lateness: this.lateness,
      nonFinite: this.nonFinite,
      saturatedUs: this.saturatedUs,
      outOfRange: this.outOfRange,
      rate: this.#rate,
      balancer: this.#balancer.remember(),
      balancerInCharge: this.#balancerInCharge,
      mode: this.#mode,
      policy: this.#policy?.remember(),
      framesToDecision: this.#framesToDecision,
      action: this.#action,
      saturatedEnd: this.#saturatedEnd,
      heading: this.#heading,
      explorer: this.#explorer?.remember(),
    };
  }

  recall(memory: ReturnType<Controllers['remember']>): void {
    this.prepare(memory.rate);
    if (memory.mode) this.begin(memory.mode);
    this.lateness = memory.lateness;
    this.nonFinite = memory.nonFinite;
    this.saturatedUs = memory.saturatedUs;
    this.outOfRange = memory.outOfRange;
    this.#balancer.recall(memory.balancer);
    this.#balancerInCharge = memory.balancerInCharge;
    if (memory.policy !== undefined) this.#policy?.recall(memory.policy);
    this.#framesToDecision = memory.framesToDecision;
    this.#action = memory.action;
    this.#saturatedEnd = memory.saturatedEnd;
    this.#heading = memory.heading;
    if (memory.explorer === undefined) this.#explorer = undefined;
    else this.#explorer?.recall(memory.explorer);
  }

  /** A mode begins. */
  begin(mode: ArmedMode): void {
    this.#mode = mode;
    this.#policy = mode.controller === 'balancer' ? undefined : this.#policies.get(mode.controller);
    this.#policy?.reset();
    this.#framesPerDecision = this.#policy ? (decimation(this.#rate, this.#policy.rate) ?? 1) : 1;
    this.#framesToDecision = 0;
    this.#action = 0;
    this.#balancerInCharge = false;
    this.#forgive();
    this.#heading = undefined;
    const { exploration } = mode;
    const decisions = this.#rate / this.#framesPerDecision;
    this.#explorer = exploration && new Explorer(exploration, taskByName(mode.task), decisions);
  }

  /**
   * Another version of a policy stands in its place now, or none does. The mode goes on; what the old one remembered, and what
   * was held against it, is forgotten, and noise on top of it ends.
   * @returns whether it is the one that the mode names
   */
  policyChanged(id: string): boolean {
    if (this.#mode === undefined || this.#mode.controller !== id) return false;
    this.#policy = this.#policies.get(id);
    this.#policy?.reset();
    this.#framesPerDecision = this.#policy ? (decimation(this.#rate, this.#policy.rate) ?? 1) : 1;
    this.#framesToDecision = 0;
    this.#action = 0;
    this.#explorer = undefined;
    this.#forgive();
    return true;
  }

  /**
   * What to ask of the wheels for this frame; a promise only when the policy has to run.
   * @param sentTorque total torque that the guard let through for the frame before [N·m]
   */
  decide(tick: Observed, safety: SafetyState, sentTorque: number): Decision | Promise<Decision> {
    const mode = this.#mode;
    if (safety.robotState !== 'running' || mode === undefined) {
      this.#balancerInCharge = false;
      this.#forgive();
      return NOTHING;
    }
    const { yaw, yawRate } = tick.estimate;
    this.#heading ??= yaw;
    const steering = headingTorque(this.#robot, yaw, yawRate, this.#heading);
    const withdrawn = this.#policy === undefined && mode.controller !== 'balancer';
    if (inFallback(safety) || withdrawn) {
      // A fallback that clears by itself ends with a fresh decision, not with an action of long ago.
      this.#framesToDecision = 0;
      this.#explorer?.rest();
      return { ...this.#balance(tick, 0, sentTorque, steering), requestLimits: limitBit('fallback') };
    }
    if (this.#policy === undefined) {
      const velocity = mode.targetVelocity ?? taskByName(mode.task).targetVelocity;
      this.#explorer?.decide();
      return this.#explored(this.#balance(tick, velocity, sentTorque, steering));
    }
    this.#watchSaturation(tick.dtUs);
    if (tick.lost > 0) this.#framesToDecision -= tick.lost;
    this.#framesToDecision -= 1;
    // A frame that was overtaken is history; running the network on it would only delay the frame that counts.
    if (this.#framesToDecision > 0 || tick.superseded) return this.#heldAction(steering);
    this.#framesToDecision = this.#framesPerDecision;
    return this.#runPolicy(this.#policy, tick, sentTorque, steering);
  }

  /** Nothing is held against the controller that begins now. */
  #forgive(): void {
    this.lateness = 0;
    this.nonFinite = 0;
    this.saturatedUs = 0;
    this.outOfRange = 0;
  }

  /** Counts the time that the action before this frame stood at one end of its range. */
  #watchSaturation(dtUs: number): void {
    const end = Math.abs(this.#action) >= 1 ? Math.sign(this.#action) : 0;
    this.saturatedUs = end !== 0 && end === this.#saturatedEnd ? this.saturatedUs + dtUs : 0;
    this.#saturatedEnd = end;
  }

  async #runPolicy(policy: PolicyRunner, tick: Observed, sentTorque: number, steering: number): Promise<Decision> {
    const started = this.#nowNs();
    const mode = this.#mode;
    this.#explorer?.decide();
    // Whatever a policy stumbles over is no action; the failsafe table knows what to do with that.
    const action = await policy.decide(this.#fromSetPoint(tick), sentTorque).catch(() => Number.NaN);
    // A mode that began in the meantime, or another version, has nothing to do with this result.
    if (this.#mode !== mode || this.#policy !== policy)
      return { ...this.#balance(tick, 0, sentTorque, steering), requestLimits: 0 };
    const tookMs = Number(this.#nowNs() - started) / 1e6;

    const late = tookMs > 1000 / this.#rate;
    this.lateness = late ? this.lateness + LATE : Math.max(0, this.lateness - 1);
    const finite = Number.isFinite(action);
    this.nonFinite = finite ? 0 : this.nonFinite + 1;
    this.outOfRange = policy.outOfRange ? this.outOfRange + 1 : 0;
    if (late || !finite) {
      const limits = limitBit(late ? 'policy-late' : 'non-finite');
      // The next frame is the policy's again, unless the failsafe table says otherwise by then.
      this.#framesToDecision = 0;
      return { ...this.#balance(tick, 0, sentTorque, steering), requestLimits: limits };
    }
    this.#balancerInCharge = false;
    this.#action = action;
    return this.#heldAction(steering);
  }

  #heldAction(steering: number): Decision {
    const action = Math.min(1, Math.max(-1, this.#action));
    return this.#explored({
      request: { total: action * (this.#policy?.torqueScale ?? 0), steering },
      controller: 'policy',
      policyHash: this.#policy?.hash ?? 0n,
      observation: this.#policy?.observation ?? [],
      requestLimits: action === this.#action ? 0 : limitBit('policy-range'),
    });
  }

  /** The task's vector as it is in the frame of the set point. Where the task travels, its x is not the set point's. */
  #fromSetPoint({ task, state }: Observed): Observed['state'] {
    if (!this.#explorer) return state;
    const { x, v } = this.#explorer.setPoint;
    return { ...state, x: taskByName(task).originResetsEachEpisode ? state.x : state.x - x, v: state.v - v };
  }

  /** Noise comes before everything that limits: blend, guard and failsafe table see one request and no difference. */
  #explored(decision: Decision): Decision {
    if (!this.#explorer) return decision;
    // An action has a range, also one with noise on it.
    const most = this.#policy?.torqueScale ?? this.#robot.policy.torqueScale;
    const { total, steering } = decision.request;
    const noisy = Math.min(most, Math.max(-most, total + this.#explorer.noise));
    return {
      ...decision,
      request: { total: noisy, steering },
      requestLimits: decision.requestLimits | limitBit('exploration'),
    };
  }

  #balance(tick: Observed, targetVelocity: number, sentTorque: number, steering: number): Decision {
    if (!this.#balancerInCharge) this.#balancer.reset();
    this.#balancerInCharge = true;
    const { x, v, pitch, pitchRate } = tick.estimate;
    const from = this.#explorer?.setPoint ?? NO_SET_POINT;
    const total = this.#balancer.act(
      { x: x - from.x, v: v - from.v, pitch, pitchRate },
      { targetVelocity, sentTorque, missed: tick.lost },
    );
    return { ...NOTHING, request: { total, steering }, controller: 'balancer' };
  }
}
