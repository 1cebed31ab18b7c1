import { decodePayload, encodePayload, type Sensors as SensorsMessage } from '../../protocol/messages.gen.ts';
import { Random } from '../../random.ts';
import { pitchOf, rolled } from '../../robot/kinematics.ts';
import type { Robot } from '../../robot/robot.ts';
import type { TaskState } from '../../robot/tasks/task.ts';
import { type Gap, noGap } from '../gap.ts';
import { Sensors, sensorDelay, WheelDrives } from '../imperfections.ts';
import type { Readings, Twin, TwinStart } from '../twin.ts';

/** What lies between the twin and a decision. */
export interface BodyOptions {
  readonly robot: Robot;
  /** readings and torques pass through the frames of the wire, which round them */
  readonly wire: boolean;
  /** the guard's limit on how fast torque may change; see `guard` */
  readonly slew: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** [N·m], of a command on the wire: messages.yaml, `command.wheelTorque` */
const torqueResolution = 0.001;

/**
 * A simulated robot as a decision maker meets it, one control period at a time: the same twin, drives and sensors as of the robot on a
 * serial port (`SimulatedRobot`), without the line and the processes between. A command acts from the frame that it answers on.
 */
export class RobotBody {
  readonly twin: Twin;
  /** as estimated from the readings; x from where the encoders were zero; the same object every time */
  readonly estimate: Mutable<TaskState> = { x: 0, v: 0, pitch: 0, pitchRate: 0 };
  readonly frameSeconds: number;
  /** total of both wheels that was commanded in the last frame [N·m] */
  torque = 0;
  readings: Readings;
  readonly #robot: Robot;
  readonly #wire: boolean;
  readonly #slewPerFrame: number;
  readonly #stepsPerFrame: number;
  #drives: WheelDrives;
  #sensors: Sensors<Readings>;
  /** the step of a frame whose readings its sensors will tell, some frames later */
  #takeAt = 0;
  #each = 0;

  constructor(twin: Twin, { robot, wire, slew }: BodyOptions) {
    this.twin = twin;
    this.#robot = robot;
    this.#wire = wire;
    this.#stepsPerFrame = Math.round(1 / (robot.policy.rate * twin.timestep));
    this.frameSeconds = this.#stepsPerFrame * twin.timestep;
    this.#slewPerFrame = slew ? robot.limits.wheelTorqueSlew * this.frameSeconds : Number.POSITIVE_INFINITY;
    this.readings = twin.read();
    this.#drives = new WheelDrives(robot, noGap, new Random(0));
    this.#sensors = new Sensors(robot, noGap, new Random(0), this.readings);
  }

  /** Stands it somewhere, at rest unless told otherwise; all noise begins anew. */
  reset(seed: number, gap: Gap, start: TwinStart): void {
    const robot = this.#robot;
    this.twin.reset(start);
    // streams of their own, as in SimulatedRobot
    this.#drives = new WheelDrives(robot, gap, new Random(seed));
    const steps = this.#stepsPerFrame;
    const delay = sensorDelay(robot, gap);
    // of the five readings in a frame the sensors tell one: only that one is taken
    this.#takeAt = steps - (delay % steps);
    const ideal = this.twin.read();
    this.#sensors = new Sensors(robot, gap, new Random(seed ^ 0x5e4507), ideal, Math.floor(delay / steps));
    this.#each = 0;
    this.torque = 0;
    this.#sense();
  }

  /**
   * One control period.
   * @param torque total of both wheels that is asked for [N·m]; the guard's limits come on top
   */
  frame(torque: number): void {
    const { wheelTorque } = this.#robot.limits;
    const reachable = clamp(torque / 2 - this.#each, this.#slewPerFrame) + this.#each;
    const each = clamp(reachable, wheelTorque);
    this.#each = this.#wire ? Math.round(each / torqueResolution) * torqueResolution : each;
    this.torque = 2 * this.#each;
    const commanded = [this.#each, this.#each] as const;
    const { twin } = this;
    for (let step = 1; step <= this.#stepsPerFrame; step++) {
      twin.drive(this.#drives.deliver(commanded));
      if (step === this.#takeAt) this.#sensors.take(twin.read());
    }
    this.#sense();
  }

  #sense(): void {
    const told = this.#sensors.read();
    const readings = this.#wire ? overTheWire(told) : told;
    const [w, x, y, z] = readings.attitude;
    const { wheelPosition, legPosition, wheelVelocity, legVelocity } = readings;
    const { estimate } = this;
    estimate.pitch = pitchOf({ w, x, y, z });
    estimate.pitchRate = readings.gyro[1];
    estimate.x = this.#rolled(wheelPosition, legPosition, estimate.pitch);
    estimate.v = this.#rolled(wheelVelocity, legVelocity, estimate.pitchRate);
    this.readings = readings;
  }

  #rolled(wheels: Readings['wheelPosition'], legs: Readings['legPosition'], pitch: number): number {
    const left = { hip: legs[0], knee: legs[1], wheel: wheels[0] };
    const right = { hip: legs[2], knee: legs[3], wheel: wheels[1] };
    return rolled(this.#robot, left, right, pitch);
  }
}

const buffer = new DataView(new ArrayBuffer(128));
/** What a `sensors` frame says besides the readings. */
const rest = {
  kind: 'sensors',
  state: 'active',
  hasAttitude: true,
  hasWheelTorque: false,
  hasLegs: true,
  commandFresh: true,
  answered: 0,
  wheelTorqueApplied: [0, 0],
  wheelTorqueMeasured: [0, 0],
  legTorque: [0, 0, 0, 0],
  faults: 0,
  battery: 0,
  temperature: 0,
} as const satisfies Omit<SensorsMessage, keyof Readings>;

/** Readings as they arrive: put into a frame's payload and taken out again. */
function overTheWire(readings: Readings): Readings {
  encodePayload({ ...rest, ...readings }, buffer, 0);
  return decodePayload('sensors', buffer, 0) as SensorsMessage;
}

const clamp = (value: number, limit: number): number => Math.min(limit, Math.max(-limit, value));
