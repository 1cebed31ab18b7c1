import type { ArmedMode } from '../messages/mode.ts';
import type { Robot } from '../robot/robot.ts';
import type { Facts } from '../safety/facts.ts';
import { activeConditions, type ConditionId } from '../safety/failsafe-table.ts';
import { SimCore } from '../simulation/sim-core.ts';
import type { SimulatedRobot } from '../simulation/simulated-robot.ts';
import { controlLoop } from './control-loop.testing.ts';

export interface TwinLoopOptions {
  readonly robot: Robot;
  /** of all noise */
  readonly seed: number;
  /** files of dynamics gaps */
  readonly gaps?: readonly string[];
}

/** The MuJoCo twin with its noise behind the virtual MCU and its wire, and the whole control loop, in MCU time only. */
export class TwinLoop {
  readonly body: SimulatedRobot;
  readonly sim: SimCore;
  readonly loop: ReturnType<typeof controlLoop>;
  /** frames on which each condition was active while the robot was not disarmed */
  readonly tripped = new Map<ConditionId, number>();
  /** told of what the failsafe table saw on each frame */
  onFacts: (facts: Facts) => void = () => {};
  readonly #toHost: Uint8Array[];
  #beats = 0;

  private constructor(sim: SimCore, toHost: Uint8Array[]) {
    this.sim = sim;
    this.body = sim.needBody();
    this.#toHost = toHost;
    this.loop = controlLoop();
    this.loop.tap.keeps = true;
    this.sim.mcu.boot();
    this.loop.session.opened();
    this.run(1);
  }

  static async create({ robot, seed, gaps = [] }: TwinLoopOptions): Promise<TwinLoop> {
    const toHost: Uint8Array[] = [];
    const sim = await SimCore.create({
      robot,
      rate: robot.policy.rate,
      baud: 921_600,
      seed,
      hand: true,
      gaps,
      toHost: (bytes) => toHost.push(bytes),
    });
    return new TwinLoop(sim, toHost);
  }

  /** Arms, with an operator who watches. @throws Error with the refusal */
  arm(mode: ArmedMode): void {
    const refusal = this.loop.enter(mode);
    if (refusal) throw new Error(refusal.message);
  }

  /** MCU time passes. */
  run(seconds: number): void {
    for (let step = 0; step < seconds * 1000; step++) {
      this.sim.advanceTo(this.sim.elapsed + 1000);
      for (const bytes of this.#toHost.splice(0)) this.#frame(bytes);
      for (const bytes of this.loop.tap.bytes.splice(0)) this.sim.receive(bytes);
    }
  }

  /** As `run`, for policies, which answer in a later turn of the event loop. */
  async runTurns(seconds: number): Promise<void> {
    for (let step = 0; step < seconds * 1000; step++) {
      this.run(0.001);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #frame(bytes: Uint8Array): void {
    const { control, operator, tap } = this.loop;
    this.#beats += 1;
    operator.beat('watching', this.#beats);
    this.loop.push(bytes);
    tap.frames.length = 0;
    this.onFacts(control.latest);
    if (control.safety.robotState === 'disarmed') return;
    for (const { id } of activeConditions(control.safety.active)) {
      this.tripped.set(id, (this.tripped.get(id) ?? 0) + 1);
    }
  }
}
