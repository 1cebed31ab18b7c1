import type { ArmedMode } from '../../src/messages/mode.ts';
import type { TaskName } from '../../src/robot/tasks/task.ts';
import type { Fault } from './fault.ts';
import { type Outcome, runFault } from './run-fault.ts';
import { Scenario } from './scenario.ts';

/** One run of a fault. */
export interface Case {
  readonly fault: Fault;
  readonly task: TaskName;
  /** `balancer`, or the shipped bundle of the task */
  readonly controller: 'balancer' | 'policy';
  readonly seed: number;
}

export interface Run extends Case {
  readonly outcome: Outcome;
}

export const modeOf = ({ task, controller }: Case): ArmedMode => ({
  task,
  controller: controller === 'balancer' ? 'balancer' : `${task}-balancer`,
});

/** Faults that leave control's process as it was share one; what they do to it does not outlive the robot's next start. */
const sharesControl = ({ host, config, broker }: Fault): boolean =>
  host === undefined && config === undefined && !broker;

/**
 * Runs cases, two robots at a time, since a robot is two processes that wait for each other.
 * @param done told of each as it is known
 * @throws AggregateError of all runs that could not be made, after the others
 */
export async function runAll(cases: readonly Case[], done: (run: Run) => void = () => {}, robots = 2): Promise<Run[]> {
  const waiting = [...cases];
  const runs: Run[] = [];
  const failures: Error[] = [];
  const one = async () => {
    const stand = new TestStand();
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      try {
        const run = await stand.run(next);
        runs.push(run);
        done(run);
      } catch (error) {
        const { fault, task, controller, seed } = next;
        failures.push(new Error(`${fault.id}, ${task}, ${controller}, seed ${seed}: ${error}`, { cause: error }));
      }
    }
    await stand.clear();
  };
  await Promise.all(Array.from({ length: robots }, one));
  if (failures.length > 0) throw new AggregateError(failures, failures.map(({ message }) => message).join('\n'));
  // in the order in which they were asked for, whoever was faster
  return runs.sort((a, b) => indexOf(cases, a) - indexOf(cases, b));
}

/** Where one robot after the other is broken; a control that the fault leaves alone serves the next one too. */
class TestStand {
  #shared: Scenario | undefined;

  async run(next: Case): Promise<Run> {
    const { fault, seed } = next;
    if (!sharesControl(fault)) {
      const scenario = await Scenario.start({
        ...(fault.config && { config: fault.config }),
        broker: fault.broker ?? false,
      });
      try {
        return { ...next, outcome: await runFault(scenario, fault, modeOf(next), seed) };
      } finally {
        await scenario.end();
      }
    }
    this.#shared ??= await Scenario.start();
    try {
      return { ...next, outcome: await runFault(this.#shared, fault, modeOf(next), seed) };
    } catch (error) {
      const { log } = this.#shared;
      await this.clear();
      throw new Error(`${error}\n${log}`);
    }
  }

  async clear(): Promise<void> {
    await this.#shared?.end();
    this.#shared = undefined;
  }
}

const indexOf = (cases: readonly Case[], { fault, task, controller, seed }: Case): number =>
  cases.findIndex(
    (one) => one.fault === fault && one.task === task && one.controller === controller && one.seed === seed,
  );
