import { type LogRow, readLog } from '../../dataset/log/read-log.ts';
import { EdgeError } from '../../errors.ts';
import type { Row } from '../../messages/row.ts';
import { RESOLUTION } from '../../protocol/messages.gen.ts';
import { loadRobot, type Robot } from '../../robot/robot.ts';
import { taskByName } from '../../robot/tasks/tasks.ts';
import { activeConditions } from '../../safety/failsafe-table.ts';
import { RowCheck } from './row-check.ts';
import type { Stage } from './stage.ts';

/** What the playback of a log found. */
export interface PlaybackResult {
  ok: boolean;
  /** rows of the log */
  frames: number;
  /** of them, sensor frames that were decoded, observed and answered */
  answered: number;
  /** transitions that left control */
  transitions: number;
  /** largest difference of a state from the log, in units of the bound that the wire's resolution sets */
  stateError: { x: number; v: number; pitch: number; pitchRate: number };
  /** largest difference of a reward from the task's formula on the row's own numbers */
  rewardError: number;
  done: { inLog: number; inRows: number; equal: boolean };
  /** frames on which each condition of the failsafe table was active */
  reasons: Record<string, number>;
  /** what the robot's state was, and for how many frames */
  states: Record<string, number>;
  problems: string[];
}

/**
 * Plays a recorded log through the whole control process and holds what comes out against the log.
 * @param path columns x, v, pitch, pitch rate, torque, done at 200 Hz
 */
export async function playback(stage: Stage, path: string, say: (line: string) => void): Promise<PlaybackResult> {
  const { control, simulator, operator } = stage;
  const log = readLog(path);
  const robot = loadRobot('wheel-legged');
  const check = new RowCheck();
  const rows: Row[] = [];
  control.onRow = (bytes) => {
    const row = check.take(bytes);
    if (!row) return;
    rows.push(row);
    control.acknowledge(Number(row.sequence));
  };
  await control.subscribe({ rows: true, events: false });

  // The lead-in shows a robot at rest until it is armed; then the log begins.
  await simulator.wait(1);
  await control.command(
    { name: 'mode', mode: { task: 'standing-still', controller: 'standing-still-balancer' } },
    operator,
  );
  say(`playing ${log.length} frames`);
  while (!(await simulator.truth()).ended) await new Promise((resolve) => setTimeout(resolve, 50));
  const status = await control.status();

  const expected = log.length - 1;
  const played = rows.slice(-expected);
  const result: PlaybackResult = {
    ok: false,
    frames: log.length,
    // The last frame has no successor and so makes no transition.
    answered: played.length + 1,
    transitions: played.length,
    stateError: { x: 0, v: 0, pitch: 0, pitchRate: 0 },
    rewardError: 0,
    done: { inLog: log.filter((row) => row.done).length, inRows: 0, equal: true },
    reasons: {},
    states: {},
    problems: [...check.problems],
  };
  compare(played, log, robot, result);
  if (played.length !== expected) result.problems.push(`${played.length} transitions of ${expected}`);
  if (status.counters.answered !== status.counters.frames) result.problems.push('a frame was not answered');
  if (Math.max(...Object.values(result.stateError)) > 1) result.problems.push('states differ from the log');
  if (result.rewardError > 1e-3) result.problems.push(`rewards differ from the formula by ${result.rewardError}`);
  if (!result.done.equal) result.problems.push('done differs from the log');
  result.ok = result.problems.length === 0;
  return result;
}

function compare(rows: readonly Row[], log: readonly LogRow[], robot: Robot, result: PlaybackResult): void {
  const bound = resolutionBounds(robot);
  for (const [index, row] of rows.entries()) {
    const said = log[index];
    const next = log[index + 1];
    if (said === undefined || next === undefined) {
      throw new EdgeError('scenarioFailed', `row ${index} has no counterpart in the log`, 'report this');
    }
    const [x = 0, v = 0, pitch = 0, pitchRate = 0] = row.state;
    const error = result.stateError;
    error.x = Math.max(error.x, Math.abs(x - said.x) / bound.x);
    error.v = Math.max(error.v, Math.abs(v - said.speed) / bound.v);
    error.pitch = Math.max(error.pitch, Math.abs(pitch - said.pitch) / bound.pitch);
    error.pitchRate = Math.max(error.pitchRate, Math.abs(pitchRate - said.pitchRate) / bound.pitchRate);

    const [nx = 0, nv = 0, nPitch = 0, nRate = 0] = row.nextState;
    const formula = taskByName(row.task).reward({ x, v, pitch, pitchRate }, row.appliedTorque, {
      x: nx,
      v: nv,
      pitch: nPitch,
      pitchRate: nRate,
    });
    result.rewardError = Math.max(result.rewardError, Math.abs(formula - row.reward));

    if (row.done !== next.done) result.done.equal = false;
    if (row.done) result.done.inRows += 1;
    for (const { id } of activeConditions(row.conditions)) result.reasons[id] = (result.reasons[id] ?? 0) + 1;
    result.states[row.robotState] = (result.states[row.robotState] ?? 0) + 1;
  }
  if (log[0]?.done) result.done.inRows += 1;
}

/** How far a state may be from the log because of the wire: half a count of each field that it is made of. */
function resolutionBounds(robot: Robot) {
  const { attitude, gyro, wheelPosition, legPosition, wheelVelocity, legVelocity } = RESOLUTION.sensors;
  const { radius } = robot.wheels;
  // Two quaternion components carry pitch, each with half a count; rounding of single precision comes on top.
  const pitch = 2 * attitude;
  const single = 2e-7;
  return {
    pitch: pitch + single,
    pitchRate: gyro / 2 + single,
    x: radius * (wheelPosition / 2 + legPosition + pitch) + single,
    v: radius * (wheelVelocity / 2 + legVelocity + gyro / 2) + single,
  };
}
