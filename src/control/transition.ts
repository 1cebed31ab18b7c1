import { concatMap, EMPTY, type OperatorFunction, of } from 'rxjs';
import type { Row } from '../messages/row.ts';
import type { Robot } from '../robot/robot.ts';
import type { TaskState } from '../robot/tasks/task.ts';
import { taskByName } from '../robot/tasks/tasks.ts';
import type { Actuated } from './tick.ts';

export interface RowContext {
  readonly robot: Robot;
  /** drawn at random when `control` starts */
  readonly boot: bigint;
  /** what to add to the monotonic clock to have wall time [ns] */
  readonly wallOffsetNs: () => bigint;
}

const vector = ({ x, v, pitch, pitchRate }: TaskState) => [x, v, pitch, pitchRate];

/** The transition between two frames without a gap, or `undefined` if there is one. */
function transitionBetween(before: Actuated, after: Actuated, context: RowContext): Row | undefined {
  if (after.lost > 0 || after.first || after.dtUs <= 0) return undefined;
  const task = taskByName(before.task);
  const { sensors } = after;
  // x' in the frame of s, also when the origin is set anew between the two.
  const nextState = { ...after.state, x: after.estimate.x - before.origin };
  const [left, right] = sensors.wheelTorqueApplied;
  const [measuredLeft, measuredRight] = sensors.wheelTorqueMeasured;
  const appliedTorque = left + right;
  const [commandLeft, commandRight] = before.command.wheelTorque;
  const done = task.isDone(nextState, context.robot);
  return {
    monotonicNs: before.arrivedNs,
    wallNs: before.arrivedNs + context.wallOffsetNs(),
    mcuTimeUs: BigInt(before.mcuTimeUs),
    sequence: BigInt(before.sequence),
    boot: context.boot,
    policyHash: before.policyHash,
    dtUs: after.dtUs,
    episode: before.episode,
    step: before.step,
    limits: before.limits,
    conditions: before.conditions,
    state: vector(before.state),
    nextState: vector(nextState),
    observation: before.observation,
    requestedTorque: before.request.total,
    commandedTorque: commandLeft + commandRight,
    appliedTorque,
    measuredTorque: measuredLeft + measuredRight,
    reward: task.reward(before.state, appliedTorque, nextState),
    latencyUs: before.latencyUs,
    task: before.task,
    robotState: before.robotState,
    controller: before.controller,
    done,
    timeout: !done && (before.lastStep || before.episode !== after.episode),
    measured: sensors.hasWheelTorque,
    ...(before.request.legs && { joints: jointsOf(before, sensors) }),
  };
}

/** For each of `jointNames` what was asked for, commanded and measured, see `Row`. */
function jointsOf({ request, command }: Actuated, sensors: Actuated['sensors']): number[] {
  const { total, steering, legs = [] } = request;
  return [
    ...command.legPosition.map((commanded, joint) => legs[joint] ?? commanded),
    total / 2 + steering,
    total / 2 - steering,
    ...command.legPosition,
    ...command.wheelTorque,
    ...sensors.legPosition,
    ...sensors.wheelTorqueApplied,
  ];
}

/** commands → (s, a, r, s') rows; a row is complete when the frame after it has come */
export const transition = (context: RowContext): OperatorFunction<Actuated, Row> => {
  let before: Actuated | undefined;
  return concatMap((after) => {
    const row = before && transitionBetween(before, after, context);
    before = after;
    return row ? of(row) : EMPTY;
  });
};
