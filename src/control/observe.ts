import { map, type OperatorFunction } from 'rxjs';
import type { TaskName } from '../robot/tasks/task.ts';
import { taskByName } from '../robot/tasks/tasks.ts';
import type { Estimated, Observed } from './tick.ts';

/**
 * Where the task's x counts from, and which episode this is. An episode ends after its steps, and whatever breaks the
 * stream (a gap, another mode) begins a new one.
 */
export class EpisodeClock {
  #task: TaskName = 'standing-still';
  /** before any task x counts from the encoders' zero */
  #origin: number | undefined = 0;
  #episode = 0;
  #step = -1;

  /** A task starts: x counts from where the robot is at the next frame. */
  startTask(task: TaskName): void {
    this.#task = task;
    this.#origin = undefined;
    this.startEpisode();
  }

  startEpisode(): void {
    this.#episode += 1;
    this.#step = -1;
  }

  /** All that it remembers, as plain data; see `tape/snapshot.ts`. */
  remember() {
    return { task: this.#task, origin: this.#origin, episode: this.#episode, step: this.#step };
  }

  recall(memory: ReturnType<EpisodeClock['remember']>): void {
    this.#task = memory.task;
    this.#origin = memory.origin;
    this.#episode = memory.episode;
    this.#step = memory.step;
  }

  observe(estimated: Estimated): Observed {
    const { x, v, pitch, pitchRate } = estimated.estimate;
    const task = taskByName(this.#task);
    if (estimated.lost > 0 || estimated.first) this.startEpisode();
    if (this.#step + 1 >= task.episodeSteps) {
      this.startEpisode();
      if (task.originResetsEachEpisode) this.#origin = undefined;
    }
    this.#step += 1;
    this.#origin ??= x;
    return {
      ...estimated,
      task: this.#task,
      state: { x: x - this.#origin, v, pitch, pitchRate },
      origin: this.#origin,
      episode: this.#episode,
      step: this.#step,
      lastStep: this.#step + 1 >= task.episodeSteps,
    };
  }
}

/** attitude, odometry → the task's vector */
export const observe = (clock: EpisodeClock): OperatorFunction<Estimated, Observed> =>
  map((estimated) => clock.observe(estimated));
