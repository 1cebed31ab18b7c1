import type { ArmedMode } from '../../src/messages/mode.ts';
import type { TaskName } from '../../src/robot/tasks/task.ts';
import type { Fault } from './faults.ts';
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
 */
export async function runAll(cases: readonly Case[], done: (run: Run) => void = () => {}, robots = 2): Promise<Run[]> {
  const waiting = [...cases];
  const runs: Run[] = [];
  const one = async () => {
    let shared: Scenario | undefined;
    try {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const { fault, seed } = next;
        const options = { ...(fault.config && { config: fault.config }), broker: fault.broker ?? false };
        if (sharesControl(fault)) shared ??= await Scenario.start(options);
        const scenario = sharesControl(fault) && shared ? shared : await Scenario.start(options);
        try {
          const run = { ...next, outcome: await runFault(scenario, fault, modeOf(next), seed) };
          runs.push(run);
          done(run);
        } catch (error) {
          throw new Error(`${fault.id}, ${next.task}, ${next.controller}, seed ${seed}: ${error}\n${scenario.log}`);
        } finally {
          if (scenario !== shared) await scenario.end();
        }
      }
    } finally {
      await shared?.end();
    }
  };
  await Promise.all(Array.from({ length: robots }, one));
  // in the order in which they were asked for, whoever was faster
  return runs.sort((a, b) => indexOf(cases, a) - indexOf(cases, b));
}

const indexOf = (cases: readonly Case[], { fault, task, controller, seed }: Case): number =>
  cases.findIndex(
    (one) => one.fault === fault && one.task === task && one.controller === controller && one.seed === seed,
  );
