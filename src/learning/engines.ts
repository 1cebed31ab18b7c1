import { EdgeError, messageOf } from '../errors.ts';
import { EagerRunner, type StepProgram, stateOf } from './eager-runner.ts';
import type { Runner } from './runner.ts';
import { tf } from './tf.ts';
import { GraphRunner } from './tracing/graph-runner.ts';
import { trace } from './tracing/trace.ts';
import { WorkerRunner } from './tracing/worker-runner.ts';

export interface EngineOptions {
  /** whether `onnx` runs in this thread, which it then blocks; default false */
  readonly inThisThread?: boolean;
}

type Opener = (program: StepProgram, options: EngineOptions) => Promise<Runner>;

/** The engines that run the same step. */
const openers = {
  /** traced into one ONNX graph, run by ONNX Runtime on one thread */
  onnx: async ({ step, inputs, variables }, { inThisThread = false }) => {
    const traced = trace(step, inputs, variables);
    const create = inThisThread ? GraphRunner.create : WorkerRunner.create;
    return create(traced, stateOf(variables));
  },
  /** tfjs in plain JavaScript: a hundred times slower, and what the others are checked against */
  cpu: async (program) => new EagerRunner(program, 'cpu'),
  /** tfjs on TensorFlow's library, where the user has added it; not tested, since its library is not to be had everywhere */
  'tfjs-node': async (program) => {
    await loadTfjsNode();
    return new EagerRunner(program, 'tensorflow');
  },
} satisfies Readonly<Record<string, Opener>>;

export type EngineName = keyof typeof openers;

export const engineNames = Object.keys(openers) as readonly EngineName[];

/**
 * Makes a step ready to run, from the state that its variables have now.
 * @param name one of `engineNames`
 * @throws EdgeError `usage` for another name, `engineUnavailable` where it is not installed, `tracingFailed`
 */
export function openEngine(name: string, program: StepProgram, options: EngineOptions = {}): Promise<Runner> {
  const engine = engineNames.find((one) => one === name);
  if (engine === undefined) {
    throw new EdgeError('usage', `there is no engine "${name}"`, `choose one of: ${engineNames.join(', ')}`);
  }
  return openers[engine](program, options);
}

async function loadTfjsNode(): Promise<void> {
  // Not among our dependencies, optional ones included: its installation downloads a library that many networks do not let
  // through, and would fail with it.
  const optional: string = '@tensorflow/tfjs-node';
  const remedy = `add it by "npm install --no-save ${optional}@${tf.version_core}", or take --engine onnx`;
  try {
    await import(optional);
  } catch (error) {
    throw new EdgeError('engineUnavailable', `the engine tfjs-node cannot be loaded: ${firstLine(error)}`, remedy);
  }
  if (tf.findBackend('tensorflow')) return;
  throw new EdgeError('engineUnavailable', 'tfjs-node came with another copy of tfjs-core than ours', remedy);
}

const firstLine = (error: unknown): string => messageOf(error).split('\n')[0] ?? '';
