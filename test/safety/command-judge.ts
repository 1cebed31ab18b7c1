import type { Command } from '../../src/protocol/messages.gen.ts';
import type { Robot } from '../../src/robot/robot.ts';
import type { Exchange } from '../../src/simulation/exchange-log.ts';

/** Half a step of the wire (PROTOCOL.md §10), and what single steps round together [N·m]. */
const TORQUE_STEP = 0.001;
const HALF = TORQUE_STEP / 2 + 1e-9;
/** of leg set-points [rad], of gains */
const LEG_STEP = 1e-3;
const GAIN_STEP = 0.51;
/** A longer pause gives the slew limit no more room [µs]. */
const LONGEST_STEP = 20_000;

/**
 * Watches every command that reaches the motor controller, as a customs officer who knows the robot file and nothing of control: torque of
 * each wheel within its limit, no change faster than the slew limit, legs in stance by the file's gains, and none that asks to be
 * active after one that did not.
 */
export class CommandJudge {
  /** what was wrong, in words; empty is innocent */
  readonly violations: string[] = [];
  /** commands looked at */
  commands = 0;
  /** of those, how many asked to drive */
  active = 0;
  readonly #robot: Robot;
  /** sampling time by sequence [µs] */
  readonly #sampled = new Map<number, number>();
  #previous: Command | undefined;
  #armed = false;
  #stopped = false;

  constructor(robot: Robot) {
    this.#robot = robot;
  }

  observe(exchange: Exchange): void {
    if ('sent' in exchange) {
      if (exchange.sent.kind === 'sensors') this.#sampled.set(exchange.sequence, exchange.time);
      return;
    }
    if (exchange.received.kind === 'command') this.#judge(exchange.received);
  }

  /** The motor controller starts anew; what was found stays. */
  newLife(): void {
    this.#sampled.clear();
    this.#previous = undefined;
    this.#armed = false;
    this.#stopped = false;
    this.active = 0;
  }

  /** From now on the robot is armed; the first command that does not ask to be active ends that for ever. */
  armed(): void {
    this.#armed = true;
    this.#stopped = false;
  }

  #judge(command: Command): void {
    this.commands += 1;
    const { limits, legs } = this.#robot;
    const blame = (what: string) => this.violations.push(`answer to frame ${command.answers}: ${what}`);
    for (const torque of command.wheelTorque) {
      if (!(Math.abs(torque) <= limits.wheelTorque + HALF)) blame(`wheel torque ${torque} N·m`);
    }
    const stance = [legs.hipStance, legs.kneeStance, legs.hipStance, legs.kneeStance];
    for (let joint = 0; joint < 4; joint++) {
      if (!near(command.legPosition[joint], stance[joint], LEG_STEP)) blame(`leg position ${command.legPosition}`);
      if (!near(command.legVelocity[joint], 0, LEG_STEP)) blame(`leg velocity ${command.legVelocity}`);
      if (!near(command.legTorque[joint], 0, LEG_STEP)) blame(`leg torque ${command.legTorque}`);
      if (!near(command.legStiffness[joint], legs.stiffness, GAIN_STEP)) blame(`leg stiffness ${command.legStiffness}`);
      if (!near(command.legDamping[joint], legs.damping, GAIN_STEP)) blame(`leg damping ${command.legDamping}`);
    }
    if (command.requestedState === 'active') this.#judgeActive(command, blame);
    else {
      if (command.wheelTorque.some((torque) => torque !== 0)) blame(`torque while ${command.requestedState}`);
      this.#stopped ||= this.#armed && this.active > 0;
    }
    this.#previous = command;
  }

  #judgeActive(command: Command, blame: (what: string) => void): void {
    this.active += 1;
    if (!this.#armed) blame('active, and nobody has armed it');
    if (this.#stopped) blame('active after a stop');
    const before = this.#previous;
    const step = this.#slewTime(before, command) * 1e-6 * this.#robot.limits.wheelTorqueSlew;
    command.wheelTorque.forEach((torque, wheel) => {
      const change = Math.abs(torque - (before?.wheelTorque[wheel] ?? 0));
      if (!(change <= step + TORQUE_STEP))
        blame(`wheel torque changed by ${change.toFixed(3)} N·m, ${step.toFixed(3)} may be`);
    });
  }

  /** Time between the frames that both answer [µs]. */
  #slewTime(before: Command | undefined, command: Command): number {
    const now = this.#sampled.get(command.answers);
    const then = before && this.#sampled.get(before.answers);
    if (now === undefined) return 0;
    if (before === undefined || then === undefined) return LONGEST_STEP;
    // Where commands in between were lost on the line, this one may be several steps on.
    const adjacent = ((command.answers - before.answers) & 0xffff) === 1;
    return adjacent ? Math.min(now - then, LONGEST_STEP) : Math.max(0, now - then);
  }
}

function near(value: number | undefined, wanted: number | undefined, within: number): boolean {
  return value !== undefined && wanted !== undefined && Math.abs(value - wanted) <= within;
}
