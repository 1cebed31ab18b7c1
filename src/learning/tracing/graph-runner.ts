import type { InferenceSession, Tensor, TypedTensor } from 'onnxruntime-node';
import { EdgeError, messageOf } from '../../errors.ts';
import { onnxRuntime } from '../../policy/runtime.ts';
import { dataFor, type NamedData, type Runner, refuseUnknown, type StepInputs } from '../runner.ts';
import { freeMemory } from './free-memory.ts';
import { type Parcel, parcelOf, unpacked } from './packing.ts';
import type { Traced } from './trace.ts';
import { nextName, type TensorData, type TensorSpec } from './value.ts';

/** What a runner needs to know of a trace; can be posted to another thread. */
export type Program = Pick<Traced, 'model' | 'packs' | 'inputs' | 'outputs' | 'state' | 'updated'>;

export interface GraphRunnerOptions {
  /**
   * Whether numbers below the smallest normal one count as zero. The moments of weights that no longer learn decay to such
   * numbers and stay there, and arithmetic with them is many times slower; a step that computes with them on purpose (log of
   * 1e-45) needs false. ONNX Runtime sets it for the whole thread, JavaScript's own arithmetic in double precision included:
   * hence the default false here, and true in `WorkerRunner`, whose thread has no other work.
   */
  readonly flushDenormals?: boolean;
  /** writes ONNX Runtime's profile to a file of this prefix when the runner is disposed of */
  readonly profile?: string;
}

/**
 * A traced step on ONNX Runtime in this thread, which `run` blocks for as long as the step takes: a program that has other
 * things to do uses `WorkerRunner`. The outputs of a step are the inputs of the next, and nothing is copied in between.
 */
export class GraphRunner implements Runner {
  readonly #session: InferenceSession;
  readonly #tensor: typeof Tensor;
  readonly #program: Program;
  readonly #state: Record<string, Tensor>;

  private constructor(session: InferenceSession, tensor: typeof Tensor, program: Program, state: NamedData) {
    this.#session = session;
    this.#tensor = tensor;
    this.#program = program;
    this.#state = Object.fromEntries(program.state.map((spec) => [spec.name, this.#own(spec, state[spec.name])]));
  }

  /**
   * @param state values of all variables to start from
   * @throws EdgeError `tracingFailed` when ONNX Runtime does not take the graph, `stepInvalid` when the state does not fit
   */
  static async create(
    program: Program,
    state: NamedData,
    { flushDenormals = false, profile }: GraphRunnerOptions = {},
  ): Promise<GraphRunner> {
    const { InferenceSession, Tensor } = await onnxRuntime();
    refuseUnknown(program.state, state, 'variable');
    const session = await InferenceSession.create(program.model, {
      ...sessionOptions,
      ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
      extra: { session: { ...sessionOptions.extra.session, set_denormal_as_zero: flushDenormals ? '1' : '0' } },
    }).catch((error: unknown) => {
      throw new EdgeError(
        'tracingFailed',
        `ONNX Runtime refuses the traced step: ${messageOf(error)}`,
        'run it with the engine "cpu", and report the step',
        { cause: error },
      );
    });
    return new GraphRunner(session, Tensor, program, state);
  }

  async run(inputs: StepInputs): Promise<NamedData> {
    return unpacked(this.#program.packs.outputs, await this.runParcel(inputParcel(this.#program, inputs)));
  }

  /** One step, of inputs and to outputs as they cross the border. */
  async runParcel({ packed, others }: Parcel): Promise<Parcel> {
    const { packs, inputs, outputs, updated } = this.#program;
    const feeds: Record<string, Tensor> = { ...this.#state };
    if (packed.length > 0) feeds[packs.inputs.name] = new this.#tensor('float32', packed, [packed.length]);
    for (const spec of inputs) {
      const data = others[spec.name];
      if (data) feeds[spec.name] = this.#wrap(spec, data);
    }
    const results = await this.#session.run(feeds);
    const replaced: TensorData[] = [];
    for (const name of updated) {
      const next = results[nextName(name)];
      if (!next) continue;
      replaced.push(dataOf(this.#state[name], name));
      this.#state[name] = next;
    }
    freeMemory(replaced);
    const { name, size } = packs.outputs;
    const whole = size > 0 ? dataOf(results[name], name) : undefined;
    const alone = outputs.filter((spec) => !packs.outputs.members.includes(spec));
    return {
      packed: whole instanceof Float32Array ? whole : new Float32Array(0),
      others: Object.fromEntries(alone.map((spec) => [spec.name, dataOf(results[spec.name], spec.name)])),
    };
  }

  getState(): Promise<NamedData> {
    const copies = Object.entries(this.#state).map(([name, tensor]) => [name, dataOf(tensor, name).slice()] as const);
    return Promise.resolve(Object.fromEntries(copies));
  }

  setState(state: NamedData): Promise<void> {
    return Promise.resolve().then(() => {
      refuseUnknown(this.#program.state, state, 'variable');
      const given = this.#program.state.filter(({ name }) => state[name] !== undefined);
      // All or nothing.
      Object.assign(
        this.#state,
        Object.fromEntries(given.map((spec) => [spec.name, this.#own(spec, state[spec.name])])),
      );
    });
  }

  async dispose(): Promise<void> {
    this.#session.endProfiling();
    await this.#session.release();
  }

  #wrap({ shape, dtype }: TensorSpec, data: TensorData): TypedTensor<'float32' | 'int32' | 'bool'> {
    return new this.#tensor(dtype, data, [...shape]) as TypedTensor<typeof dtype>;
  }

  /** A tensor in memory that the caller cannot change. */
  #own(spec: TensorSpec, data: TensorData | undefined): Tensor {
    return this.#wrap(spec, dataFor(spec, data).slice());
  }
}

/** @throws EdgeError `stepInvalid` when inputs are missing, unknown or of another size */
export function inputParcel({ packs, inputs }: Program, given: StepInputs): Parcel {
  refuseUnknown(inputs, given, 'input');
  return parcelOf(packs.inputs, inputs, given);
}

function dataOf(tensor: Tensor | undefined, name: string): TensorData {
  const data = tensor?.data;
  if (data instanceof Float32Array || data instanceof Int32Array || data instanceof Uint8Array) return data;
  throw new EdgeError('tracingFailed', `ONNX Runtime gave no numbers for "${name}"`, 'report the step');
}

/** One thread and nothing that spins: steps are small, and the other processors belong to other seeds. */
const sessionOptions = {
  executionProviders: ['cpu'],
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
} as const;
