import type { Command, McuState } from '../protocol/messages.gen.ts';
import type { Robot } from '../robot/robot.ts';
import type { Joints } from './plant.ts';
import type { Torques } from './twin.ts';

const off: Torques = { wheels: [0, 0], legs: [0, 0, 0, 0] };

/** The torques that the MCU commands to its drives, anew every millisecond. */
export class McuServo {
  readonly #robot: Robot;
  /** set-points of the last command that was applied: where legs are held without one */
  #held: readonly number[];

  constructor(robot: Robot) {
    this.#robot = robot;
    this.#held = stance(robot);
  }

  /** After a reset: legs are held in stance until a command says otherwise. */
  forget(): void {
    this.#held = stance(this.#robot);
  }

  /** @param command the one to apply; undefined when its time to live is over */
  torques(state: McuState, command: Command | undefined, joints: Joints): Torques {
    switch (state) {
      case 'idle':
      case 'estopped':
      case 'faulted':
        return off;
      case 'limp':
        return { wheels: [0, 0], legs: this.#damped(joints) };
      case 'braking':
        return { wheels: this.#brake(joints), legs: this.#hold(joints) };
      case 'active':
        // §6.3: late is not dead; brake until the next valid command, and let the watchdog decide
        if (!command) return { wheels: this.#brake(joints), legs: this.#hold(joints) };
        this.#held = command.legPosition;
        return { wheels: this.#drive(command.wheelTorque), legs: this.#commanded(command, joints) };
    }
  }

  #drive([left, right]: readonly [number, number]): [number, number] {
    const peak = this.#robot.mcu.wheelTorquePeak;
    return [clamp(left, peak), clamp(right, peak)];
  }

  #brake({ wheelVelocity: [left, right] }: Joints): [number, number] {
    const { brakeDamping } = this.#robot.mcu;
    return this.#drive([-brakeDamping * left, -brakeDamping * right]);
  }

  /** By the MCU's own gains: those of a command that only asks to brake may be zero. */
  #hold(joints: Joints): [number, number, number, number] {
    const { stiffness, damping } = this.#robot.legs;
    return this.#legs((joint) => {
      const error = at(this.#held, joint) - at(joints.legPosition, joint);
      return stiffness * error - damping * at(joints.legVelocity, joint);
    });
  }

  #damped(joints: Joints): [number, number, number, number] {
    return this.#legs((joint) => -this.#robot.mcu.limpDamping * at(joints.legVelocity, joint));
  }

  #commanded(command: Command, joints: Joints): [number, number, number, number] {
    return this.#legs((joint) => {
      const positionError = at(command.legPosition, joint) - at(joints.legPosition, joint);
      const velocityError = at(command.legVelocity, joint) - at(joints.legVelocity, joint);
      const stiff = at(command.legStiffness, joint) * positionError;
      return at(command.legTorque, joint) + stiff + at(command.legDamping, joint) * velocityError;
    });
  }

  #legs(torque: (joint: number) => number): [number, number, number, number] {
    const limited = (joint: number) => clamp(torque(joint), this.#robot.legs.torqueLimit);
    return [limited(0), limited(1), limited(2), limited(3)];
  }
}

function stance({ legs: { hipStance, kneeStance } }: Robot): readonly number[] {
  return [hipStance, kneeStance, hipStance, kneeStance];
}

function at(values: readonly number[], index: number): number {
  return values[index] ?? 0;
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}
