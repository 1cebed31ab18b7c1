import { EdgeError } from '../../errors.ts';
import type { Controller } from '../controller.ts';
import type { Evaluation } from '../evaluation.ts';
import type { Layout } from '../parameters.ts';
import type { Recipe } from '../recipes/recipe.ts';
import { learningRateAt } from '../recipes/settings.ts';
import type { NamedData } from '../runner.ts';
import { Actor } from './actor.ts';
import { Averages, type AveragesMemory } from './averages.ts';
import type { Checkpoint, CheckpointArray } from './checkpoint-file.ts';
import type { Learner } from './learner.ts';
import { NoiseStream } from './noise.ts';
import type { SeedWorld, WorldState } from './seed-world.ts';
import type { RingMemory, TransitionMemory } from './transition-memory.ts';
import type { View } from './view.ts';

/** One line of `metrics.jsonl`. */
export interface MetricsRecord {
  readonly kind: 'training' | 'evaluation';
  /** gradient steps done */
  readonly step: number;
  readonly seed: number;
  readonly [name: string]: unknown;
}

export interface TrainingOptions {
  readonly recipe: Recipe;
  readonly seeds: readonly number[];
  readonly steps: number;
  readonly learner: Learner;
  /** names of the variables that act and that are evaluated */
  readonly variables: { readonly policy: string; readonly evaluated: string };
  readonly policyLayout: Layout;
  readonly actionSize: number;
  readonly view: View;
  /** one a seed; none where the algorithm uses no simulator */
  readonly worlds: readonly SeedWorld[];
  readonly real: TransitionMemory | undefined;
  readonly evaluate: (controller: Controller) => Evaluation;
  /** steps between lines of metrics, and between evaluations */
  readonly every: { readonly metrics: number; readonly evaluation: number };
  readonly onRecord: (record: MetricsRecord) => void;
  /** after each step */
  readonly onStep?: (step: number) => void;
}

/** Plain data of a checkpoint. */
interface TrainingState {
  readonly seeds: readonly number[];
  readonly updates: number;
  readonly decisions: number;
  readonly batches: readonly (readonly number[])[];
  readonly worlds: readonly WorldState[];
  readonly averages: AveragesMemory;
}

const ringParts = ['observations', 'actions', 'rewards', 'nextObservations', 'ends'] as const;

/**
 * The loop: random decisions to warm up, then rounds of decisions in the simulator and as many gradient steps. Every seed
 * has its own simulator, ring and random streams, so that it does what it would do alone. All that it does follows from
 * the options and the seeds, and what it remembers is enough to go on with the same bits.
 */
export class Training {
  /** gradient steps done */
  updates = 0;
  /** decisions of each seed's simulator, warm-up included */
  #decisions = 0;
  readonly #options: TrainingOptions;
  readonly #actors: readonly Actor[];
  readonly #batches: readonly NoiseStream[];
  readonly #averages: Averages;
  readonly #round: number;
  readonly #warmUp: number;
  #started = false;

  constructor(options: TrainingOptions) {
    const { recipe, seeds, policyLayout, actionSize } = options;
    this.#options = options;
    this.#actors = seeds.map(() => new Actor(policyLayout, actionSize));
    this.#batches = seeds.map((seed) => new NoiseStream(seed ^ 0xba7c4));
    this.#averages = new Averages(seeds.length);
    this.#round = recipe.training.round;
    // In rounds of one the decision and the step of a tick do not wait for each other: a row must be there before.
    this.#warmUp = this.#round === 1 ? Math.max(1, recipe.training.warmUp) : recipe.training.warmUp;
  }

  /**
   * Trains up to a number of gradient steps.
   * @param stop ends it after the step that is under way
   * @throws EdgeError `trainingDiverged`
   */
  async run(until: number, stop?: AbortSignal): Promise<void> {
    if (!this.#started) await this.#loadActors();
    const { worlds, every, onStep } = this.#options;
    while (this.updates < until && !stop?.aborted) {
      if (worlds.length > 0 && this.#decisions < this.#warmUp) {
        this.#decide(false);
        continue;
      }
      const roundEnd = Math.min(this.#options.steps, (Math.floor(this.updates / this.#round) + 1) * this.#round);
      const ahead = worlds.length > 0 && this.#decisions - this.#warmUp < roundEnd;
      if (ahead && this.#round > 1) {
        this.#decide(true);
        continue;
      }
      const step = this.#update();
      // While the step is computed the simulators go on, by the policy before it.
      if (ahead) this.#decide(true);
      await step;
      onStep?.(this.updates);
      if (this.updates % every.metrics === 0) this.#tellMetrics();
      if (this.updates % every.evaluation === 0) await this.evaluate();
    }
  }

  /** Tells how each seed's policy does by now. */
  async evaluate(): Promise<Evaluation[]> {
    const { seeds, evaluate, onRecord } = this.#options;
    const results: Evaluation[] = [];
    for (const [index, controller] of (await this.controllers()).entries()) {
      const { runs: _, ...evaluation } = evaluate(controller);
      results.push({ ...evaluation, runs: _ });
      onRecord({ kind: 'evaluation', step: this.updates, seed: seeds[index] ?? 0, ...evaluation });
      // A signal or a screen may have waited.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return results;
  }

  /** The deterministic policies that are evaluated and exported. */
  async controllers(): Promise<Controller[]> {
    const { seeds, policyLayout, actionSize, view } = this.#options;
    const parameters = await this.policyParameters();
    return seeds.map((_, index) => {
      const actor = new Actor(policyLayout, actionSize);
      actor.load(parameters, index);
      const seen = new Float32Array(view.size);
      return {
        act: (observation, action) => {
          view.see(observation, 0, seen, 0);
          actor.actBest(seen, action);
        },
      };
    });
  }

  /** Of all seeds, one after the other: those that are evaluated and exported. */
  policyParameters(): Promise<Float32Array> {
    return this.#variable(this.#options.variables.evaluated);
  }

  /** @throws EdgeError `trainingDiverged` when there is nothing that is worth keeping */
  async remember(): Promise<Checkpoint> {
    const { seeds, worlds, learner } = this.#options;
    const variables = await learner.state(this.updates);
    const arrays: Record<string, CheckpointArray> = {};
    for (const [name, values] of Object.entries(variables)) arrays[`variable/${name}`] = values;
    const states = worlds.map((world, index) => {
      const { state, actions } = world.remember();
      arrays[`world/${index}/episode`] = actions;
      const ring = world.ring.remember();
      for (const part of ringParts) arrays[`world/${index}/${part}`] = ring[part];
      return state;
    });
    const state: TrainingState = {
      seeds,
      updates: this.updates,
      decisions: this.#decisions,
      batches: this.#batches.map((stream) => stream.remember()),
      worlds: states,
      averages: this.#averages.remember(),
    };
    return { step: this.updates, state, arrays };
  }

  /** Goes on from there. @throws EdgeError `checkpointInvalid` */
  async recall({ state: plain, arrays }: Checkpoint): Promise<void> {
    const { seeds, worlds, learner } = this.#options;
    const state = plain as TrainingState;
    if (String(state.seeds) !== String(seeds) || state.worlds.length !== worlds.length) {
      throw new EdgeError(
        'checkpointInvalid',
        `the checkpoint is of seeds ${state.seeds} and not of ${seeds}`,
        'the folder holds another run: name another one',
      );
    }
    const variables: Record<string, NamedData[string]> = {};
    for (const [name, values] of Object.entries(arrays)) {
      if (name.startsWith('variable/')) variables[name.slice('variable/'.length)] = values;
    }
    await learner.runner.setState(variables);
    for (const [index, world] of worlds.entries()) {
      const known = state.worlds[index];
      if (!known) continue;
      const ring = Object.fromEntries(ringParts.map((part) => [part, arrays[`world/${index}/${part}`]]));
      world.ring.recall(ring as unknown as RingMemory, known.added);
      world.recall(known, arrays[`world/${index}/episode`] as Float32Array);
    }
    for (const [index, stream] of this.#batches.entries()) stream.recall(state.batches[index] ?? []);
    this.#averages.recall(state.averages);
    this.updates = state.updates;
    this.#decisions = state.decisions;
    await this.#loadActors();
  }

  #decide(byPolicy: boolean): void {
    for (const [index, world] of this.#options.worlds.entries()) {
      const ended = world.decide(byPolicy ? this.#actors[index] : undefined);
      if (ended) this.#averages.addEpisode(index, ended);
    }
    this.#decisions += 1;
  }

  async #update(): Promise<void> {
    const { learner, recipe, steps, view, worlds, real } = this.#options;
    for (const [index, stream] of this.#batches.entries()) {
      const sim = worlds[index]?.ring;
      learner.feed.fill(index, { ...(real && { real }), ...(sim && { sim }) }, view, stream);
    }
    const { metrics, policy } = await learner.step(this.updates + 1, learningRateAt(recipe, this.updates / steps));
    this.updates += 1;
    for (const [index, actor] of this.#actors.entries()) actor.load(policy, index);
    this.#averages.add(metrics);
  }

  #tellMetrics(): void {
    const { seeds, onRecord, recipe, steps } = this.#options;
    const learningRate = learningRateAt(recipe, (this.updates - 1) / steps);
    for (const [index, record] of this.#averages.take().entries()) {
      onRecord({ kind: 'training', step: this.updates, seed: seeds[index] ?? 0, learningRate, ...record });
    }
  }

  async #loadActors(): Promise<void> {
    const policy = await this.#variable(this.#options.variables.policy);
    for (const [index, actor] of this.#actors.entries()) actor.load(policy, index);
    this.#started = true;
  }

  async #variable(name: string): Promise<Float32Array> {
    const { [name]: values } = await this.#options.learner.runner.getState();
    if (values instanceof Float32Array) return values;
    throw new TypeError(`there is no variable "${name}"`);
  }
}
