import { EdgeError } from '../errors.ts';
import type { TensorData, TensorSpec } from './tracing/value.ts';

/** Numbers by the names of tensors, row-major: float32 as Float32Array, int32 as Int32Array, bool as Uint8Array. */
export type NamedData = Readonly<Record<string, TensorData>>;

/** What a step is given: numbers by the names of its inputs; a plain number for a scalar. */
export type StepInputs = Readonly<Record<string, TensorData | number>>;

/** Runs one step again and again, and holds its state meanwhile. One call at a time. */
export interface Runner {
  /**
   * One step.
   * @returns what the step returns, in memory of its own
   * @throws EdgeError `stepInvalid` when inputs are missing, unknown or of another size
   */
  run(inputs: StepInputs): Promise<NamedData>;
  /** A copy of the variables' values. */
  getState(): Promise<NamedData>;
  /**
   * Puts values into variables; those that are not named stay.
   * @throws EdgeError `stepInvalid`
   */
  setState(state: NamedData): Promise<void>;
  dispose(): Promise<void>;
}

/** The numbers for a tensor, checked and in the right kind of array; the given memory where it fits. */
export function dataFor(spec: TensorSpec, given: TensorData | number | undefined): TensorData {
  const size = spec.shape.reduce((product, length) => product * length, 1);
  const data = typeof given === 'number' ? arrayFor(spec.dtype, [given]) : given;
  if (data === undefined || data.length !== size) {
    const what = data === undefined ? 'missing' : `${data.length} numbers`;
    throw new EdgeError(
      'stepInvalid',
      `"${spec.name}" is ${what}, the step takes ${size} [${spec.shape.join(', ')}]`,
      'give the step what it was made for, or make it anew for other sizes',
    );
  }
  return isOfType(data, spec.dtype) ? data : arrayFor(spec.dtype, data);
}

/** @throws EdgeError `stepInvalid` when a name is not among those of the tensors */
export function refuseUnknown(
  specs: readonly TensorSpec[],
  given: Readonly<Record<string, unknown>>,
  kind: string,
): void {
  const unknown = Object.keys(given).find((name) => !specs.some((spec) => spec.name === name));
  if (unknown === undefined) return;
  const names = specs.map(({ name }) => name).join(', ') || 'none';
  throw new EdgeError('stepInvalid', `the step has no ${kind} "${unknown}"`, `its ${kind}s are: ${names}`);
}

const isOfType = (data: TensorData, dtype: TensorSpec['dtype']): boolean =>
  dtype === 'float32'
    ? data instanceof Float32Array
    : dtype === 'int32'
      ? data instanceof Int32Array
      : data instanceof Uint8Array;

function arrayFor(dtype: TensorSpec['dtype'], numbers: ArrayLike<number>): TensorData {
  if (dtype === 'float32') return Float32Array.from(numbers);
  if (dtype === 'int32') return Int32Array.from(numbers);
  return Uint8Array.from(numbers, (value) => (value === 0 ? 0 : 1));
}
