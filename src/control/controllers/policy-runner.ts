import type { JointAction } from '../../policy/joint-action.ts';
import type { BodyReadings } from '../../policy/observation.ts';
import type { TaskName, TaskState } from '../../robot/tasks/task.ts';

/** What a policy remembers. */
export interface PolicyMemory {
  /** latest vector, with its history; empty before the first decision */
  readonly vector: readonly number[];
  readonly outOfRange: boolean;
  /** latest action of a policy of joints, in the order of its terms */
  readonly joints?: readonly number[];
}

/** What the control loop needs of a loaded policy; the ONNX Runtime is behind it, a test puts something else there. */
export interface PolicyRunner {
  readonly id: string;
  readonly task: TaskName;
  /** decisions a second [Hz] */
  readonly rate: number;
  /** wall clock from which on no task starts with it [ms since 1970] */
  readonly expires: number;
  /** first eight bytes of the model's sha256 */
  readonly hash: bigint;
  /** action 1 means this total torque of both wheels; a policy of joints says its torques in N·m, and this is 1 [N·m] */
  readonly torqueScale: number;
  /** what the latest decision asks of each joint, if this is a policy of joints */
  readonly joints?: Pick<JointAction, 'request' | 'clipped'> | undefined;
  /** A task starts: history and previous action are forgotten. */
  reset(): void;
  /**
   * One decision. Blocks the thread while the network runs, and answers in a later turn of the event loop.
   * @param state the task's vector
   * @param sentTorque total torque of the latest command [N·m]
   * @param body what else is sensed; who has none gets NaN of a policy that looks at it, see `seesBody`
   * @returns the action, in units of `torqueScale`; anything at all may come out, and it may reject. Of a policy
   * of joints: 0, or NaN when a number of its action is not finite; then `joints` is still at the decision before
   */
  decide(state: TaskState, sentTorque: number, body?: BodyReadings): Promise<number>;
  /** the latest decision was made on a state outside the range that its manifest gives */
  readonly outOfRange: boolean;
  /** the vector of the latest decision, scaled as the network saw it */
  readonly observation: readonly number[];
  /** All that it remembers from decision to decision, as plain data. */
  remember(): PolicyMemory;
  recall(memory: PolicyMemory): void;
}
