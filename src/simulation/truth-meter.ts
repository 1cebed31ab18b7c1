import type { McuState } from '../protocol/messages.gen.ts';
import type { GroundTruth } from './twin.ts';

/** What happened since a mark, by ground truth at 1 kHz. */
export interface Measurement {
  readonly seconds: number;
  /** largest distance from the x at the mark [m] */
  readonly maxAbsX: number;
  /** way that the robot went, forward less backward [m] */
  readonly distance: number;
  /** [m/s] */
  readonly meanSpeed: number;
  readonly falls: number;
  /** [rad] */
  readonly maxTilt: number;
  /** largest torque that the motor controller commanded to a wheel's drive, whatever state it was in [N·m] */
  readonly maxWheelTorque: number;
  /** until the motor controller was last active, that is obeyed a host's torques; 0 if it never was [s] */
  readonly lastActive: number;
  /** until a drive was last commanded any torque at a wheel [s] */
  readonly lastTorque: number;
}

interface Window {
  readonly fromX: number;
  readonly fallsBefore: number;
  steps: number;
  maxAbsX: number;
  distance: number;
  maxTilt: number;
  maxWheelTorque: number;
  lastActive: number;
  lastTorque: number;
}

const secondsPerStep = 0.001;
const standing: readonly McuState[] = ['active', 'braking', 'limp'];

/** Counts falls and measures windows. Results come from here and not from what the controller believes. */
export class TruthMeter {
  /** times that the robot tilted beyond the limit while nobody held it and its torque was on or just gone limp */
  falls = 0;
  readonly #windows = new Map<string, Window>();
  #upright = true;
  #latest: GroundTruth | undefined;

  /** One millisecond. */
  observe(truth: GroundTruth, state: McuState, held: boolean, wheels: readonly [number, number] = [0, 0]): void {
    this.#latest = truth;
    if (truth.fallen && this.#upright && !held && standing.includes(state)) this.falls += 1;
    this.#upright = !truth.fallen;
    for (const window of this.#windows.values()) {
      window.steps += 1;
      window.maxAbsX = Math.max(window.maxAbsX, Math.abs(truth.x - window.fromX));
      window.distance += truth.speed * secondsPerStep;
      window.maxTilt = Math.max(window.maxTilt, truth.tilt);
      window.maxWheelTorque = Math.max(window.maxWheelTorque, Math.abs(wheels[0]), Math.abs(wheels[1]));
      if (state === 'active') window.lastActive = window.steps;
      if (wheels[0] !== 0 || wheels[1] !== 0) window.lastTorque = window.steps;
    }
  }

  /** Starts a window, or starts it anew. */
  mark(name: string): void {
    const { x = 0, tilt = 0 } = this.#latest ?? {};
    this.#windows.set(name, {
      fromX: x,
      fallsBefore: this.falls,
      steps: 0,
      maxAbsX: 0,
      distance: 0,
      maxTilt: tilt,
      maxWheelTorque: 0,
      lastActive: 0,
      lastTorque: 0,
    });
  }

  /** The window so far; it goes on. Undefined without such a mark. */
  measure(name: string): Measurement | undefined {
    const window = this.#windows.get(name);
    if (!window) return undefined;
    const seconds = window.steps * secondsPerStep;
    return {
      seconds,
      maxAbsX: window.maxAbsX,
      distance: window.distance,
      meanSpeed: seconds > 0 ? window.distance / seconds : 0,
      falls: this.falls - window.fallsBefore,
      maxTilt: window.maxTilt,
      maxWheelTorque: window.maxWheelTorque,
      lastActive: window.lastActive * secondsPerStep,
      lastTorque: window.lastTorque * secondsPerStep,
    };
  }
}
