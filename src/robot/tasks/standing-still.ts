import { hasFallen, paperEpisodeSteps, type Task } from './task.ts';

/**
 * Stand where you are: r = 30 − τ² − (x′² + v′² + θ′² + θ̇′²), primes: next state, τ in N·m.
 * Source: `NewReplayBuffer._load_data`, task 'WheelLegged', of the authors' repository t6-thu/H2Oplus.
 */
export const standingStill: Task = {
  name: 'standing-still',
  targetVelocity: 0,
  episodeSteps: paperEpisodeSteps,
  originResetsEachEpisode: false,
  reward: (_state, torque, next) =>
    30 - torque ** 2 - (next.x ** 2 + next.v ** 2 + next.pitch ** 2 + next.pitchRate ** 2),
  isDone: hasFallen,
};
