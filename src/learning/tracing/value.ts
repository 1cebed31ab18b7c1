/** Element types of traced values; int64 only where ONNX wants it for shapes and indices. */
export type ElementType = 'float32' | 'int32' | 'bool' | 'int64';

export type TensorData = Float32Array | Int32Array | Uint8Array;

/** Name, shape and element type of an input, an output or a part of the state. */
export interface TensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: Exclude<ElementType, 'int64'>;
}

/** One value of a recorded graph: an input, a constant, or what an operation gives. */
export interface Value {
  /** counts from 0 in the order of making */
  readonly id: number;
  /** as ONNX will know it; an output gives its name to the value behind it */
  name: string;
  /** may be narrower than the shape that tfjs believes in; see `Operand` */
  readonly shape: readonly number[];
  readonly dtype: ElementType;
  /** of a constant */
  readonly data?: ConstantData;
  /** that gives this value */
  readonly operation?: Operation;
}

export type ConstantData = Float32Array | Int32Array | Uint8Array | BigInt64Array;

export type Attributes = Readonly<Record<string, AttributeValue>>;
export type AttributeValue =
  | { readonly float: number }
  | { readonly int: number }
  | { readonly ints: readonly number[] };

/** One node of the ONNX graph. */
export interface Operation {
  readonly type: string;
  /** replaced where an exported model is freed of the size of its batch */
  inputs: readonly Value[];
  readonly outputs: Value[];
  readonly attributes: Attributes;
  /** the tfjs kernel that it is part of */
  readonly kernel: string;
  /** the line that called for it, if asked for */
  readonly calledFrom: string | undefined;
}

/** The name of the output that holds a variable's value after the step. */
export const nextName = (name: string): string => `next/${name}`;

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);

/** The shape of an elementwise operation on these; undefined if they do not fit. */
export function broadcastShape(shapes: readonly (readonly number[])[]): number[] | undefined {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (const [at, size] of shape.entries()) {
      const axis = at + rank - shape.length;
      if (size === 1 || size === result[axis]) continue;
      if (result[axis] !== 1) return undefined;
      result[axis] = size;
    }
  }
  return result;
}
