import type { Robot } from '../robot.ts';

/** State of the paper's two tasks; also what one decision sees before scaling. */
export interface TaskState {
  /** distance rolled since the task's origin [m] */
  readonly x: number;
  /** forward speed [m/s] */
  readonly v: number;
  /** lean, positive forward [rad] */
  readonly pitch: number;
  /** [rad/s] */
  readonly pitchRate: number;
}

export type TaskName = 'standing-still' | 'moving-straight';

/** One task of the paper: what is wanted, what it earns, when it ends. Pure; the same for recorder, export, simulation and learning. */
export interface Task {
  readonly name: TaskName;
  /** speed that the task asks for [m/s]; the balancer is given the same */
  readonly targetVelocity: number;
  /** decisions in an episode; the end by this count is a time-out, which is not `done` */
  readonly episodeSteps: number;
  /** whether x counts from zero again after `episodeSteps`, in simulation and on the robot alike */
  readonly originResetsEachEpisode: boolean;
  /**
   * Reward of one transition.
   * @param state where the action was decided
   * @param appliedTorque total torque of both wheels that really acted, not clipped to the action's range [N·m]
   * @param next state at the next decision
   */
  reward(state: TaskState, appliedTorque: number, next: TaskState): number;
  /** Whether the robot has fallen: the lean of the next state is beyond `robot.limits.tilt`. */
  isDone(next: TaskState, robot: Robot): boolean;
}

/** 1000 decisions: 5 s at 200 Hz. Source: `max_traj_length` of the authors' robot scripts (t6-thu/H2Oplus). */
export const paperEpisodeSteps = 1000;

/** Fallen. Source: the `done` column of the authors' log is 1 exactly where |pitch| > π/6, which is `robot.limits.tilt`. */
export function hasFallen(next: TaskState, robot: Robot): boolean {
  return Math.abs(next.pitch) > robot.limits.tilt;
}
