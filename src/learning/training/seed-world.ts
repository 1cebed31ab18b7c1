import { EdgeError } from '../../errors.ts';
import type { Environment } from '../../simulation/environments/environment.ts';
import type { Actor } from './actor.ts';
import { NoiseStream } from './noise.ts';
import { TransitionMemory } from './transition-memory.ts';
import type { View } from './view.ts';

/** What a world remembers beside its ring's rows, as plain data. */
export interface WorldState {
  readonly episode: number;
  /** decisions of this episode so far */
  readonly steps: number;
  readonly returned: number;
  readonly added: number;
  readonly exploration: readonly number[];
  /** of the environment, to tell whether the replayed one is the same */
  readonly digest: string;
}

export interface EndedEpisode {
  readonly steps: number;
  /** sum of the rewards as they are, less no offset */
  readonly return: number;
  readonly terminated: boolean;
}

/**
 * One seed's simulator, the exploring policy in it and the ring that it fills. An environment is not saved: an episode
 * begins from its seed, and what followed are its actions, which are kept and done again.
 */
export class SeedWorld {
  readonly ring: TransitionMemory;
  readonly #environment: Environment;
  readonly #view: View;
  readonly #seed: number;
  readonly #exploration: NoiseStream;
  readonly #observation: Float32Array;
  readonly #seen: Float32Array;
  readonly #action: Float32Array;
  /** of this episode */
  readonly #actions: Float32Array;
  #episode = 0;
  #steps = 0;
  #returned = 0;

  constructor(options: {
    readonly environment: Environment;
    readonly view: View;
    readonly seed: number;
    /** rows of the ring */
    readonly capacity: number;
  }) {
    const { environment, view, seed, capacity } = options;
    const { observationSize, actionSize, episodeSteps } = environment;
    this.#environment = environment;
    this.#view = view;
    this.#seed = seed;
    this.#exploration = new NoiseStream(seed ^ 0xe4b10);
    this.ring = new TransitionMemory(capacity, observationSize, actionSize);
    this.#observation = new Float32Array(observationSize);
    this.#seen = new Float32Array(view.size);
    this.#action = new Float32Array(actionSize);
    this.#actions = new Float32Array(episodeSteps * actionSize);
    this.#begin();
  }

  /**
   * One decision, by the policy or at random.
   * @param actor undefined draws the action uniformly
   * @returns the episode, where it ended with this decision
   */
  decide(actor: Actor | undefined): EndedEpisode | undefined {
    const action = this.#action;
    if (actor) {
      this.#view.see(this.#observation, 0, this.#seen, 0);
      actor.explore(this.#seen, action, this.#exploration);
    } else {
      this.#exploration.fillUniform(action);
    }
    this.#actions.set(action, this.#steps * action.length);
    const step = this.#environment.step(action);
    this.ring.add(this.#observation, action, step);
    this.#observation.set(step.observation);
    this.#steps += 1;
    this.#returned += step.reward;
    if (!step.terminated && !step.truncated) return undefined;
    const ended = { steps: this.#steps, return: this.#returned, terminated: step.terminated };
    this.#episode += 1;
    this.#begin();
    return ended;
  }

  remember(): { readonly state: WorldState; readonly actions: Float32Array } {
    return {
      state: {
        episode: this.#episode,
        steps: this.#steps,
        returned: this.#returned,
        added: this.ring.added,
        exploration: this.#exploration.remember(),
        digest: this.#environment.digest(),
      },
      actions: this.#actions.subarray(0, this.#steps * this.#action.length),
    };
  }

  /**
   * Does the episode again up to where it was. The ring is recalled by whoever holds its rows.
   * @throws EdgeError `checkpointInvalid` when the simulator does not come to the same state
   */
  recall(state: WorldState, actions: Float32Array): void {
    this.#episode = state.episode;
    this.#begin();
    this.#actions.set(actions);
    const width = this.#action.length;
    for (let step = 0; step < state.steps; step++) {
      const { observation } = this.#environment.step(actions.slice(step * width, (step + 1) * width));
      this.#observation.set(observation);
    }
    this.#steps = state.steps;
    this.#returned = state.returned;
    this.#exploration.recall(state.exploration);
    if (this.#environment.digest() === state.digest) return;
    throw new EdgeError(
      'checkpointInvalid',
      `the simulator of seed ${this.#seed} does not come to the state of the checkpoint when its episode is done again`,
      'resume with the version, robot file and gaps that the run was started with',
    );
  }

  #begin(): void {
    this.#steps = 0;
    this.#returned = 0;
    // far from the seeds of other runs: an odd factor spreads them over all 32 bits
    this.#observation.set(this.#environment.reset((Math.imul(this.#seed, 0x9e3779b1) + this.#episode) | 0));
  }
}
