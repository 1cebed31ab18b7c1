import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { EdgeError, messageOf } from '../errors.ts';
import { type GoldenPair, type Manifest, observationSize } from './manifest.ts';

/** The name of the one input and of the one output of every policy. */
export const inputName = 'observation';
export const outputName = 'action';

/** Of a model's one input and its one output. */
interface Names {
  readonly input: string;
  readonly output: string;
}

export interface Latency {
  readonly p50Us: number;
  readonly p99Us: number;
}

/**
 * One policy's ONNX Runtime session with its own input memory. `run` blocks the thread until the model is through, one turn
 * of the event loop later; the first session of a process takes 45 ms to make and later ones some.
 */
export class PolicySession {
  readonly #session: InferenceSession;
  readonly #input: Float32Array;
  readonly #feeds: Readonly<Record<string, Tensor>>;
  readonly #actionSize: number;
  readonly #output: string;

  private constructor(
    session: InferenceSession,
    input: Tensor,
    memory: Float32Array,
    actionSize: number,
    names: Names,
  ) {
    this.#session = session;
    this.#input = memory;
    this.#feeds = { [names.input]: input };
    this.#output = names.output;
    this.#actionSize = actionSize;
  }

  /**
   * @param model bytes of the ONNX model; those that were vetted, not those that a path leads to by now
   * @param names of a model that is not a bundle's
   * @throws EdgeError `modelInvalid` when ONNX Runtime does not take it
   */
  static async open(
    model: Uint8Array,
    observationSize: number,
    actionSize: number,
    names: Names = { input: inputName, output: outputName },
  ): Promise<PolicySession> {
    const { InferenceSession, Tensor } = await onnxRuntime();
    const memory = new Float32Array(observationSize);
    try {
      const session = await InferenceSession.create(model, sessionOptions);
      return new PolicySession(session, new Tensor('float32', memory, [1, observationSize]), memory, actionSize, names);
    } catch (error) {
      throw new EdgeError(
        'modelInvalid',
        `ONNX Runtime refuses the model: ${messageOf(error)}`,
        'export the policy again, with an operator set that this version knows',
      );
    }
  }

  /** @returns the action, m values as the model gives them: neither clipped nor checked */
  async run(observation: ArrayLike<number>): Promise<Float32Array> {
    if (observation.length !== this.#input.length) {
      throw new EdgeError(
        'modelInvalid',
        `the policy takes ${this.#input.length} numbers, and was given ${observation.length}`,
        'build the observation by the manifest of this policy',
      );
    }
    this.#input.set(observation);
    const { [this.#output]: action } = await this.#session.run(this.#feeds);
    const data = action?.data;
    if (!(data instanceof Float32Array) || data.length !== this.#actionSize) {
      throw new EdgeError(
        'modelInvalid',
        `the policy's output is not ${this.#actionSize} single precision numbers`,
        'export the policy again with an output "action" [batch, m]',
      );
    }
    return data;
  }

  /** Runs it until nothing is left to be allocated or compiled. */
  async warmUp(runs = 100): Promise<void> {
    for (let count = 0; count < runs; count++) await this.run(this.#input);
  }

  /** Time of so many warm runs, with the turn of the event loop that each takes. */
  async measureLatency(runs = 200): Promise<Latency> {
    await this.warmUp();
    const times: number[] = [];
    for (let count = 0; count < runs; count++) {
      const start = performance.now();
      await this.run(this.#input);
      times.push((performance.now() - start) * 1000);
    }
    times.sort((a, b) => a - b);
    const quantile = (share: number) => times[Math.min(runs - 1, Math.floor(share * runs))] ?? Number.NaN;
    return { p50Us: quantile(0.5), p99Us: quantile(0.99) };
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/** A session for a bundle that was vetted; see `vetBundle`. */
export function loadPolicy({ manifest, model }: { manifest: Manifest; model: Uint8Array }): Promise<PolicySession> {
  return PolicySession.open(model, observationSize(manifest.observation), manifest.action.terms.length);
}

export interface LatencyVerdict extends Latency {
  readonly ok: boolean;
  /** empty if ok */
  readonly reasons: readonly string[];
}

/**
 * Whether the policy is fast enough on this machine: the 99th of 100 runs within the budget.
 * @param budgetUs default: a quarter of the policy's period [µs]
 */
export async function vetLatency(
  session: PolicySession,
  manifest: Manifest,
  budgetUs: number = 1e6 / manifest.rate / 4,
): Promise<LatencyVerdict> {
  const latency = await session.measureLatency();
  const ok = latency.p99Us <= budgetUs;
  const reasons = ok ? [] : [`latency: p99 ${Math.round(latency.p99Us)} µs is above ${Math.round(budgetUs)} µs`];
  return { ...latency, ok, reasons };
}

/**
 * Golden pairs for a manifest, made by ONNX Runtime itself.
 * @param observations at least four, each n numbers
 */
export async function goldenPairs(
  model: Uint8Array,
  actionSize: number,
  observations: readonly (readonly number[])[],
): Promise<GoldenPair[]> {
  const session = await PolicySession.open(model, observations[0]?.length ?? 0, actionSize);
  const pairs: GoldenPair[] = [];
  for (const observation of observations) {
    pairs.push({ observation: [...observation], action: [...(await session.run(observation))] });
  }
  await session.release();
  return pairs;
}

/** One thread and nothing that spins: the control thread's core is not to be shared with helpers that wait by counting. */
const sessionOptions: InferenceSession.SessionOptions = {
  executionProviders: ['cpu'],
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
};

/** The runtime's Linux build sends usage data unless this is set before it is loaded; so nothing else may import it first. */
export function onnxRuntime() {
  process.env.ORT_DISABLE_TELEMETRY = '1';
  return import('onnxruntime-node');
}
