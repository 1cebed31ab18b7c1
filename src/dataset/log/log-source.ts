import { EdgeError } from '../../errors.ts';
import { loadRobot, type Robot } from '../../robot/robot.ts';
import type { TaskName } from '../../robot/tasks/task.ts';
import { taskByName, taskNames } from '../../robot/tasks/tasks.ts';
import { BatchWriter, type Transition } from '../batch-writer.ts';
import { invalid } from '../invalid.ts';
import { markBit } from '../marks.ts';
import type { TransitionSource } from '../source.ts';
import type { Provenance, Shape, Transitions } from '../transitions.ts';
import { type LogRow, readLog } from './read-log.ts';

const SHAPE: Shape = { observationSize: 4, actionSize: 1, marked: true };
/** Rate of the published log: its x moves by 0.005 s times v from row to row [Hz]. */
const LOG_RATE = 200;

/**
 * Transitions of a log by the rules of the authors' loader (`NewReplayBuffer._load_data`, t6-thu/H2Oplus), bit for bit in
 * double precision: rows with a torque above the range are dropped (not those below it), then every row that is not done
 * and not the last begins a transition to the next row that was kept. The reward is that of the task for the torque as it
 * is; the action is clipped.
 */
export function* transitionsOfLog(log: readonly LogRow[], task: TaskName, robot: Robot): Generator<Transition> {
  const { reward } = taskByName(task);
  const { torqueScale } = robot.policy;
  const kept = log.flatMap((row, line) => (row.torque > torqueScale ? [] : [{ row, line }]));
  for (const [index, { row, line }] of kept.entries()) {
    const next = kept[index + 1];
    if (row.done || next === undefined) continue;
    const action = row.torque / torqueScale;
    const state = stateOf(row);
    const nextState = stateOf(next.row);
    yield {
      observation: vector(state),
      action: [Math.min(1, Math.max(-1, action))],
      reward: reward(state, row.torque, nextState),
      nextObservation: vector(nextState),
      terminal: next.row.done,
      timeout: false,
      marks:
        (Math.abs(action) > 1 ? markBit('beyond-action') : 0) | (next.line === line + 1 ? 0 : markBit('not-adjacent')),
    };
  }
}

const stateOf = ({ x, speed, pitch, pitchRate }: LogRow) => ({ x, v: speed, pitch, pitchRate });
const vector = ({ x, v, pitch, pitchRate }: ReturnType<typeof stateOf>) => [x, v, pitch, pitchRate];

/**
 * A log of the authors' form as transitions of a task. Logs are minutes long: they are read as a whole.
 * @throws EdgeError `fileUnreadable`, `logInvalid` with the line, `usage` without a task
 */
export async function openLog(
  path: string,
  options: { task?: TaskName | undefined; robot?: string | undefined },
): Promise<TransitionSource> {
  const { task } = options;
  if (task === undefined) {
    throw new EdgeError(
      'usage',
      `a log does not say which task its rewards are for: ${path}`,
      `say it with --task: ${taskNames.join(', ')}`,
    );
  }
  const robot = loadRobot(options.robot ?? 'wheel-legged');
  const log = readLog(path);
  const transitions = [...transitionsOfLog(log, task, robot)];
  if (transitions.length === 0)
    throw invalid(`${path} holds no transition`, 'two rows that follow each other make one');
  const provenance: Provenance = {
    task,
    rate: LOG_RATE,
    torqueScale: robot.policy.torqueScale,
    observationNames: ['x', 'v', 'pitch', 'pitch_rate'],
    actionNames: ['wheel_torque'],
    source: 'robot log',
    robotModel: robot.name,
    rows: {
      read: log.length,
      torqueAboveRange: log.filter(({ torque }) => torque > robot.policy.torqueScale).length,
      transitions: transitions.length,
      falls: transitions.filter(({ terminal }) => terminal).length,
    },
  };
  async function* batches(): AsyncGenerator<Transitions> {
    const writer = new BatchWriter(SHAPE);
    for (const transition of transitions) {
      const batch = writer.append(transition);
      if (batch) yield batch;
    }
    const rest = writer.end();
    if (rest) yield rest;
  }
  return { path, format: 'log', shape: SHAPE, rowsAtMost: transitions.length, provenance, warnings: [], batches };
}
