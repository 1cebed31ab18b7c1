import type { TaskName, TaskState } from '../../robot/tasks/task.ts';
import type { PolicyRunner } from './policy-runner.ts';

/** A policy whose answers a test decides, on a clock that the test moves. */
export class FakePolicy implements PolicyRunner {
  readonly id: string;
  readonly task: TaskName;
  readonly rate: number;
  readonly hash: bigint;
  readonly torqueScale = 3;
  expires = Number.POSITIVE_INFINITY;
  observation: readonly number[] = [];
  outOfRange = false;
  /** what the next decisions answer */
  action: number;
  /** how long each takes [ms] */
  took = 0.1;
  resets = 0;
  /** states and torques that it was asked with */
  readonly asked: Array<{ state: TaskState; sentTorque: number }> = [];
  readonly #clock: { now: bigint };

  constructor(
    clock: { now: bigint },
    {
      id = 'fake',
      rate = 200,
      hash = 0xabcn,
      action = 0.5,
      task = 'standing-still',
    }: { id?: string; rate?: number; hash?: bigint; action?: number; task?: TaskName } = {},
  ) {
    this.#clock = clock;
    this.id = id;
    this.rate = rate;
    this.hash = hash;
    this.action = action;
    this.task = task;
  }

  reset(): void {
    this.resets += 1;
  }

  remember() {
    return { vector: this.observation, outOfRange: this.outOfRange };
  }

  recall(): void {}

  async decide(state: TaskState, sentTorque: number): Promise<number> {
    this.asked.push({ state, sentTorque });
    this.observation = [state.x, state.v, state.pitch, state.pitchRate];
    this.#clock.now += BigInt(Math.round(this.took * 1e6));
    return this.action;
  }
}
