import { hasFallen, paperEpisodeSteps, type Task } from './task.ts';

/** [m/s] */
const targetVelocity = 0.2;

/**
 * Roll forward at 0.2 m/s: r = 15 − ((v − 0.2)² + τ²), v of the current state, τ in N·m.
 * Source: `NewReplayBuffer._load_data`, task 'WheelLegged-straight', of the authors' repository t6-thu/H2Oplus.
 */
export const movingStraight: Task = {
  name: 'moving-straight',
  targetVelocity,
  episodeSteps: paperEpisodeSteps,
  // x would grow without bound in the observation otherwise.
  originResetsEachEpisode: true,
  reward: (state, torque) => 15 - ((state.v - targetVelocity) ** 2 + torque ** 2),
  isDone: hasFallen,
};
