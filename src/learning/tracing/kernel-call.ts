import { EdgeError } from '../../errors.ts';
import { arrayOf, type Graph } from './graph.ts';
import { type Attributes, broadcastShape, type ElementType, sameShape, sizeOf, type Value } from './value.ts';

/**
 * A tensor as a kernel sees it. The value's shape may be narrower than the one that tfjs believes in, if broadcasting leads
 * from one to the other: `tf.zerosLike(x)` is one number, and stays one where elementwise operations take it.
 */
export interface Operand {
  readonly value: Value;
  readonly shape: readonly number[];
}

export type Kernel = (call: KernelCall) => Operand | Operand[];
export type KernelTable = Readonly<Record<string, Kernel>>;

/** One call of a tfjs kernel, and what kernels write graphs with. */
export class KernelCall {
  readonly graph: Graph;
  readonly #name: string;
  readonly #inputs: Readonly<Record<string, Operand>>;
  readonly #attributes: Readonly<Record<string, unknown>>;

  constructor(
    graph: Graph,
    name: string,
    inputs: Readonly<Record<string, Operand>>,
    attributes: Readonly<Record<string, unknown>>,
  ) {
    this.graph = graph;
    this.#name = name;
    this.#inputs = inputs;
    this.#attributes = attributes;
  }

  has(name: string): boolean {
    return this.#inputs[name] !== undefined;
  }

  input(name: string): Operand {
    return this.#inputs[name] ?? this.unsupported(`without its input "${name}"`);
  }

  /** All inputs, where tfjs numbers them. */
  inputs(): Operand[] {
    return Object.values(this.#inputs);
  }

  number(name: string): number {
    const value = this.#attributes[name];
    return typeof value === 'number' ? value : this.unsupported(`with ${name} = ${value}`);
  }

  flag(name: string): boolean {
    return this.#attributes[name] === true;
  }

  text(name: string, otherwise: string): string {
    const value = this.#attributes[name] ?? otherwise;
    return typeof value === 'string' ? value : this.unsupported(`with ${name} = ${value}`);
  }

  numbers(name: string): number[] {
    const value = this.#attributes[name];
    if (typeof value === 'number') return [value];
    if (Array.isArray(value) && value.every((entry) => typeof entry === 'number')) return value;
    return this.unsupported(`with ${name} = ${value}`);
  }

  attribute(name: string): unknown {
    return this.#attributes[name];
  }

  /** Axes counted from the front; all of them if none are named. */
  axes(name: string, rank: number): number[] {
    const given = this.#attributes[name];
    const axes =
      given === undefined || given === null ? Array.from({ length: rank }, (_, axis) => axis) : this.numbers(name);
    return axes.map((axis) => (axis < 0 ? axis + rank : axis));
  }

  unsupported(how: string): never {
    throw new EdgeError(
      'tracingFailed',
      `the tracer does not cover the tfjs kernel ${this.#name} ${how}`,
      'write the step with other operations, or run it with the engine "cpu"',
    );
  }

  /** For what tfjs leaves to its kernels to check. */
  refuseShapes(...operands: readonly Operand[]): never {
    const shapes = operands.map(({ shape }) => `[${shape.join(', ')}]`).join(' and ');
    throw new EdgeError('tracingFailed', `${this.#name} does not take ${shapes}`, 'mend the shapes in the step');
  }

  /** The shape that broadcasting gives. */
  broadcast(...operands: readonly Operand[]): number[] {
    return broadcastShape(operands.map(({ shape }) => shape)) ?? this.refuseShapes(...operands);
  }

  /** An elementwise node on values that broadcasting brings together. */
  elementwise(
    type: string,
    operands: readonly Operand[],
    { dtype, attributes = {} }: { dtype?: ElementType; attributes?: Attributes } = {},
  ): Operand {
    const values = operands.map((operand) => operand.value);
    const full = this.broadcast(...operands);
    // Narrow values of shapes that fit, fit themselves.
    const shape = broadcastShape(values.map((value) => value.shape)) ?? full;
    const value = this.graph.emit(type, values, { shape, dtype: dtype ?? values[0]?.dtype ?? 'float32' }, attributes);
    return { value, shape: full };
  }

  /** A number as an operand. */
  constant(number: number, dtype: ElementType = 'float32'): Operand {
    return { value: this.graph.scalar(number, dtype), shape: [] };
  }

  /** The value in the shape that tfjs believes in. */
  full({ value, shape }: Operand): Value {
    if (sameShape(value.shape, shape)) return value;
    if (value.data && value.shape.length === 0) {
      const data = arrayOf([Number(value.data[0])], value.dtype);
      const size = sizeOf(shape);
      const filled = data instanceof BigInt64Array ? new BigInt64Array(size).fill(data[0] ?? 0n) : fill(data, size);
      return this.graph.constant(filled, shape, value.dtype);
    }
    return this.graph.emit('Expand', [value, this.graph.ints(shape)], { shape, dtype: value.dtype });
  }

  /** The value in another shape of the same size; one number stays one number. */
  reshape(operand: Operand, shape: readonly number[]): Operand {
    if (sizeOf(operand.shape) !== sizeOf(shape)) return this.refuseShapes(operand, { ...operand, shape });
    if (operand.value.shape.length === 0) return { value: operand.value, shape };
    const full = this.full(operand);
    if (sameShape(full.shape, shape)) return { value: full, shape };
    // A reshape of a reshape needs only the second.
    const source = full.operation?.type === 'Reshape' ? full.operation.inputs[0] : undefined;
    if (source && sameShape(source.shape, shape)) return { value: source, shape };
    const value = this.graph.emit('Reshape', [source ?? full, this.graph.ints(shape)], { shape, dtype: full.dtype });
    return { value, shape };
  }
}

function fill(data: Float32Array | Int32Array | Uint8Array, size: number): Float32Array | Int32Array | Uint8Array {
  const [number = 0] = data;
  if (data instanceof Float32Array) return new Float32Array(size).fill(number);
  if (data instanceof Int32Array) return new Int32Array(size).fill(number);
  return new Uint8Array(size).fill(number);
}

/** Whether it is this one number everywhere. */
export const isConstant = ({ value }: Operand, number: number): boolean =>
  value.data?.length === 1 && Number(value.data[0]) === number;
