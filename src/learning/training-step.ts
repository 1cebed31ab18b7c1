import { EdgeError } from '../errors.ts';
import type { Agent } from './agent.ts';
import type { StepProgram } from './eager-runner.ts';
import type { NetworkSizes } from './networks.ts';
import type { tf } from './tf.ts';

export type Tensors = Record<string, tf.Tensor>;

/**
 * One gradient step. It reads and assigns the agent's variables and returns its metrics, [] or [K] each. Nothing in it is
 * drawn, counted or scheduled: batches, noise, `lr` [] and `step` [] (from 1) are inputs, so that the same function can be
 * run eagerly or recorded into a graph. Run it inside `tf.tidy`.
 */
export type TrainingStep = (inputs: Readonly<Tensors>) => Tensors;

/** Where the rows of a batch come from. */
export type Source = 'real' | 'sim';

/** What a step must be given, so that one loop can serve every algorithm. */
export interface StepNeeds {
  /** `NAME/s`, `/a`, `/sNext` and, unless `transitionsOnly`, `/r` and `/done` of so many rows, drawn with replacement */
  readonly batches: Readonly<
    Record<string, { readonly from: Source; readonly rows: number; readonly transitionsOnly?: true }>
  >;
  /** unit normals of these shapes */
  readonly normals: Readonly<Record<string, readonly number[]>>;
  /** uniform in (−1, 1) */
  readonly uniforms?: Readonly<Record<string, readonly number[]>>;
}

/** Rows of a batch; [B, dS], [B, dA], [B], [B, dS], [B] (0 or 1). */
export interface Batch {
  readonly s: tf.Tensor;
  readonly a: tf.Tensor;
  readonly r: tf.Tensor;
  readonly sNext: tf.Tensor;
  readonly done: tf.Tensor;
}

/** An algorithm: what it must be given and what it does with it. */
export interface Algorithm<Settings> {
  readonly name: string;
  inputs(settings: Settings, sizes: NetworkSizes): StepNeeds;
  step(agent: Agent, settings: Settings): TrainingStep;
}

/** Name and shape of every input, with K in front where there are several seeds. */
export function inputShapes(inputs: StepNeeds, sizes: NetworkSizes, seeds = 1): Record<string, number[]> {
  const lead = seeds === 1 ? [] : [seeds];
  const shapes: Record<string, number[]> = { lr: [], step: [] };
  for (const [name, { rows, transitionsOnly }] of Object.entries(inputs.batches)) {
    shapes[`${name}/s`] = [...lead, rows, sizes.observation];
    shapes[`${name}/a`] = [...lead, rows, sizes.action];
    shapes[`${name}/sNext`] = [...lead, rows, sizes.observation];
    if (transitionsOnly) continue;
    shapes[`${name}/r`] = [...lead, rows];
    shapes[`${name}/done`] = [...lead, rows];
  }
  for (const [name, shape] of Object.entries({ ...inputs.normals, ...inputs.uniforms }))
    shapes[name] = [...lead, ...shape];
  return shapes;
}

/** A step of an agent, ready for `openEngine`. */
export function stepProgram(agent: Agent, step: TrainingStep, needs: StepNeeds): StepProgram {
  const shapes = inputShapes(needs, agent.sizes, agent.seeds);
  const inputs = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, { shape, dtype: 'float32' as const }]),
  );
  return { step, inputs, variables: agent.variables };
}

/** Reads inputs by name; a missing one is named. */
export class InputReader {
  readonly #inputs: Readonly<Tensors>;

  constructor(inputs: Readonly<Tensors>) {
    this.#inputs = inputs;
  }

  one(name: string): tf.Tensor {
    const tensor = this.#inputs[name];
    if (tensor) return tensor;
    throw new EdgeError('usage', `the step was given no input "${name}"`, 'give every input that the algorithm names');
  }

  transitions(name: string): Pick<Batch, 's' | 'a' | 'sNext'> {
    return { s: this.one(`${name}/s`), a: this.one(`${name}/a`), sNext: this.one(`${name}/sNext`) };
  }

  batch(name: string): Batch {
    return { ...this.transitions(name), r: this.one(`${name}/r`), done: this.one(`${name}/done`) };
  }

  /** noise of both discriminator batches, as the vectors name it */
  discriminators() {
    const noise = (of: string) => ({ s: this.one(`d${of}S`), a: this.one(`d${of}A`), sNext: this.one(`d${of}SNext`) });
    return {
      real: this.transitions('dReal'),
      sim: this.transitions('dSim'),
      noise: { real: noise('Real'), sim: noise('Sim') },
    };
  }

  /** learning rate and number of this step, for every optimiser */
  get pace() {
    return { lr: this.one('lr'), step: this.one('step') };
  }
}

/** Inputs of the discriminators' update. */
export function discriminatorInputs(rows: number, { observation, action }: NetworkSizes) {
  const noise = (of: string) => ({
    [`d${of}S`]: [rows, observation],
    [`d${of}A`]: [rows, action],
    [`d${of}SNext`]: [rows, observation],
  });
  return {
    batches: {
      dReal: { from: 'real', rows, transitionsOnly: true },
      dSim: { from: 'sim', rows, transitionsOnly: true },
    },
    normals: { ...noise('Real'), ...noise('Sim') },
  } as const;
}

/** The same tensors under names with a prefix. */
export function named(prefix: string, tensors: Readonly<Tensors>): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`${prefix}${name}`, tensor]));
}
