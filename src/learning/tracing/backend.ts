import { EdgeError } from '../../errors.ts';
import { tf } from '../tf.ts';
import { arrayOf, type Graph } from './graph.ts';
import { type Kernel, KernelCall, type Operand } from './kernel-call.ts';
import { elementwiseKernels } from './kernels-elementwise.ts';
import { productKernels } from './kernels-product.ts';
import { reduceKernels } from './kernels-reduce.ts';
import { shapeKernels } from './kernels-shape.ts';
import type { ElementType, Value } from './value.ts';

export const backendName = 'onnx-trace';

interface Held {
  readonly value: Value;
  references: number;
}

/** What is recorded now, and how. */
export interface Recording {
  readonly graph: Graph;
  /** whether each operation is to know the line that called for it: slow, for error messages */
  readonly locate: boolean;
}

/**
 * A tfjs backend whose tensors have no data: each kernel appends ONNX nodes to the graph that is recorded. tfjs's gradients
 * are made of the same kernels, and so are recorded like everything else.
 */
class TracingBackend extends tf.KernelBackend {
  recording: Recording | undefined;
  readonly #held = new Map<object, Held>();

  get graph(): Graph {
    return (this.recording ?? neverRecording()).graph;
  }

  /** A new tensor of tfjs that stands for the value. */
  hold({ value, shape }: Operand): tf.TensorInfo {
    const dataId = {};
    this.#held.set(dataId, { value, references: 1 });
    return { dataId, shape: [...shape], dtype: tfjsType(value.dtype) };
  }

  operandOf({ dataId, shape }: Pick<tf.TensorInfo, 'dataId' | 'shape'>): Operand {
    return { value: this.#held.get(dataId)?.value ?? this.#captured(dataId, shape), shape };
  }

  /**
   * A tensor that was there before becomes a constant.
   * @param shape the tensor's own: what tfjs keeps with the data is the shape of the first tensor that had them
   */
  #captured(dataId: object, shape: readonly number[]): Value {
    const { tensorInfo, registeredVariables } = tf.engine().state;
    const info = tensorInfo.get(dataId);
    const variable = Object.values(registeredVariables).find((one) => one.dataId === dataId);
    if (variable) {
      throw new EdgeError(
        'tracingFailed',
        `the step reads the variable "${variable.name}", which is not among the variables that it was traced with`,
        'add it to them: its value would be fixed for ever otherwise',
      );
    }
    if (!info) {
      throw new EdgeError(
        'tracingFailed',
        'the step reads a tensor that was disposed',
        'keep it, or make it anew in the step',
      );
    }
    return this.#constant(info.backend.readSync(dataId), shape, info.dtype);
  }

  #constant(values: tf.BackendValues, shape: readonly number[], dtype: tf.DataType): Value {
    const type = elementType(dtype);
    const numbers: ArrayLike<number> = Array.isArray(values) ? neverText(dtype) : values;
    const [first] = Array.from({ length: Math.min(1, numbers.length) }, (_, at) => numbers[at]);
    if (first !== undefined && shape.length > 0 && isUniform(numbers, first)) return this.graph.scalar(first, type);
    return this.graph.constant(arrayOf(numbers, type), shape, type);
  }

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    refuseRandom();
    return this.hold({ value: this.#constant(values, shape, dtype), shape }).dataId;
  }

  override move(
    dataId: object,
    values: tf.BackendValues,
    shape: number[],
    dtype: tf.DataType,
    references: number,
  ): void {
    this.#held.set(dataId, { value: this.#constant(values, shape, dtype), references });
  }

  override readSync(): never {
    throw new EdgeError(
      'tracingFailed',
      'the step reads the numbers of a tensor while it is traced, when there are none yet',
      'return the tensor as an output instead of data(), dataSync(), array() or print(), and write branches as tf.where',
    );
  }

  override read(): never {
    return this.readSync();
  }

  override refCount(dataId: object): number {
    return this.#held.get(dataId)?.references ?? 0;
  }

  override incRef(dataId: object): void {
    const held = this.#held.get(dataId);
    if (held) held.references++;
    // A captured tensor that the step assigns to a variable: it is its own backend's to count.
    else tf.engine().state.tensorInfo.get(dataId)?.backend.incRef(dataId);
  }

  override disposeData(dataId: object, force = false): boolean {
    const held = this.#held.get(dataId);
    if (!held) return true;
    held.references--;
    if (held.references > 0 && !force) return false;
    this.#held.delete(dataId);
    return true;
  }

  override numDataIds(): number {
    return this.#held.size;
  }

  override memory() {
    return { unreliable: false, reasons: [] };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override dispose(): void {
    this.#held.clear();
  }
}

/** The one tracer of the process: tfjs has one engine too. */
export const tracer = new TracingBackend();
tf.registerBackend(backendName, () => tracer, 0);

const kernels: Readonly<Record<string, Kernel>> = {
  ...elementwiseKernels,
  ...shapeKernels,
  ...reduceKernels,
  ...productKernels,
};

/** The tfjs kernels that can be traced. */
export const coveredKernels: readonly string[] = Object.keys(kernels);

for (const [kernelName, kernel] of Object.entries(kernels)) {
  tf.registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, attrs }) => {
      const { graph, locate } = tracer.recording ?? neverRecording();
      graph.kernel = kernelName;
      graph.calledFrom = locate ? callingLine() : undefined;
      const operands: Record<string, Operand> = {};
      for (const [name, tensor] of Object.entries(inputs)) {
        if (tensor) operands[name] = tracer.operandOf(tensor);
      }
      const result = kernel(new KernelCall(graph, kernelName, operands, attrs ?? {}));
      return Array.isArray(result) ? result.map((one) => tracer.hold(one)) : tracer.hold(result);
    },
  });
}

function neverRecording(): never {
  throw new EdgeError(
    'tracingFailed',
    'a tensor of a traced step is used after the trace',
    'use what the step returns, by way of the runner',
  );
}

function elementType(dtype: tf.DataType): ElementType {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return dtype;
  throw new EdgeError('tracingFailed', `the step makes a tensor of ${dtype}`, 'use float32, int32 or bool');
}

const neverText = (dtype: tf.DataType): never => {
  throw new EdgeError('tracingFailed', `the step makes a tensor of ${dtype}`, 'use float32, int32 or bool');
};

const tfjsType = (dtype: ElementType): tf.DataType => (dtype === 'int64' ? 'int32' : dtype);

/** Bits are compared: −0 is not 0, and NaN is NaN. */
function isUniform(numbers: ArrayLike<number>, first: number): boolean {
  for (let at = 1; at < numbers.length; at++) if (!Object.is(numbers[at], first)) return false;
  return true;
}

/** With a seed they would be the same in both traces, and then in every step. */
function refuseRandom(): void {
  const draw = callers().find((name) => /^(random\w*|truncatedNormal|multinomial)_$/.test(name));
  if (draw === undefined) return;
  throw new EdgeError(
    'tracingFailed',
    `the step draws random numbers (tf.${draw.slice(0, -1)}): each run would get those of the trace`,
    'draw them outside and make them an input of the step',
  );
}

/** Names of the functions on the stack; as text it would cost a look into source maps, many times per trace. */
function callers(): string[] {
  const { prepareStackTrace } = Error;
  try {
    Error.prepareStackTrace = (_error, sites) => sites.map((site) => site.getFunctionName() ?? '');
    const names: unknown = new Error().stack;
    return Array.isArray(names) ? names : [];
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
  }
}

/** The first line of the stack that is neither tfjs's nor the tracer's. */
function callingLine(): string | undefined {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 50;
  const lines = (new Error().stack ?? '').split('\n').slice(1);
  Error.stackTraceLimit = limit;
  const line = lines.find((one) => !/node_modules|node:|learning[/\\]tracing[/\\](?!.*\.test\.)/.test(one));
  return /([^/\\(]+:\d+:\d+)\)?$/.exec(line ?? '')?.[1];
}
