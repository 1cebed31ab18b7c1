import type { McuState } from '../protocol/messages.gen.ts';
import { Random } from '../random.ts';
import type { Robot } from '../robot/robot.ts';
import { type Gap, noGap } from './gap.ts';
import { Hand } from './hand.ts';
import { Sensors, WheelDrives } from './imperfections.ts';
import type { Joints, Plant, PlantSample } from './plant.ts';
import { type GroundTruth, type Readings, type Torques, Twin } from './twin.ts';

export interface SimulatedRobotOptions {
  readonly robot: Robot;
  readonly gap?: Gap;
  /** of all noise; the same seed and the same commands give the same frames */
  readonly seed?: number;
  /** a hand holds the robot from the start until the MCU is active */
  readonly hand?: boolean;
}

interface Measured extends Readings {
  readonly delivered: readonly [number, number];
}

/** The twin with the robot's imperfections and the hand of the person who lifts it: what hangs on the virtual MCU. */
export class SimulatedRobot implements Plant {
  readonly twin: Twin;
  readonly #robot: Robot;
  readonly #hand: Hand;
  readonly #drives: WheelDrives;
  readonly #sensors: Sensors<Measured>;
  #ideal: Measured;

  private constructor(twin: Twin, options: SimulatedRobotOptions) {
    const { robot, gap = noGap, seed = 1, hand = false } = options;
    this.twin = twin;
    this.#robot = robot;
    const { stanceHeight, upright, weight } = twin;
    this.#hand = new Hand({ robot, stanceHeight, upright, weight });
    if (hand) this.#hand.hold(twin.pose());
    // streams of their own: more sensor noise must not change the action noise
    this.#drives = new WheelDrives(robot, gap, new Random(seed));
    this.#ideal = { ...twin.read(), delivered: [0, 0] };
    this.#sensors = new Sensors(robot, gap, new Random(seed ^ 0x5e4507), this.#ideal);
  }

  /** @throws EdgeError `fileUnreadable`, `simulatorMissing`, `modelNotLoadable` */
  static async create(options: SimulatedRobotOptions): Promise<SimulatedRobot> {
    const { robot, gap = noGap } = options;
    return new SimulatedRobot(await Twin.create({ robot, gap }), options);
  }

  step(torques: Torques, state: McuState): void {
    const { twin } = this;
    const delivered = this.#drives.deliver(torques.wheels);
    const grip = this.#hand.holds ? this.#hand.act(twin.pose(), twin.timestep, state === 'active') : undefined;
    twin.step({ wheels: delivered, legs: torques.legs }, grip);
    this.#ideal = { ...twin.read(), delivered };
    this.#sensors.take(this.#ideal);
  }

  joints(): Joints {
    return this.#ideal;
  }

  sample(): PlantSample {
    const { delivered, ...readings } = this.#sensors.read();
    const { battery, temperature } = this.#robot.twin;
    return { ...readings, wheelTorqueMeasured: delivered, battery, temperature };
  }

  truth(): GroundTruth {
    return this.twin.truth();
  }

  /** Somebody lifts the robot to its stance; held until the MCU is active. */
  lift(): void {
    this.#hand.lift(this.twin.pose());
  }

  /** Pushes the torso forward (negative: back). */
  push(newtons: number, seconds: number): void {
    this.twin.push(newtons, seconds);
  }

  /** whether the hand touches the robot */
  get held(): boolean {
    return this.#hand.holds;
  }

  /** how often somebody had to lift the robot */
  get lifts(): number {
    return this.#hand.lifts;
  }

  /** Frees the model. */
  delete(): void {
    this.twin.delete();
  }
}
