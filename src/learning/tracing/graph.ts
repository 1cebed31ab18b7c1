import {
  attributeTypes,
  encodeModel,
  type OnnxAttribute,
  type OnnxDimension,
  type OnnxTensor,
  type OnnxValue,
} from '../../policy/onnx-format.ts';
import { writtenIrVersion, writtenOpset } from '../../policy/onnx-linear.ts';
import type { Attributes, AttributeValue, ConstantData, ElementType, Operation, Value } from './value.ts';

/** ONNX's numbers of the element types: TensorProto.DataType. */
const dataTypes: Readonly<Record<ElementType, number>> = { float32: 1, int32: 6, int64: 7, bool: 9 };

interface ResultType {
  readonly shape: readonly number[];
  readonly dtype: ElementType;
}

/** A graph while it is recorded, in the order in which it is recorded. */
export class Graph {
  readonly inputs: Value[] = [];
  readonly constants: Value[] = [];
  readonly operations: Operation[] = [];
  readonly outputs: Value[] = [];
  /** set by the tracer around each kernel */
  kernel = '';
  calledFrom: string | undefined;
  #nextId = 0;
  readonly #shared = new Map<string, Value>();

  input(name: string, shape: readonly number[], dtype: ElementType): Value {
    const value: Value = { id: this.#nextId++, name, shape, dtype };
    this.inputs.push(value);
    return value;
  }

  /** Equal small constants are one. */
  constant(data: ConstantData, shape: readonly number[], dtype: ElementType): Value {
    const key = data.length <= 64 ? `${dtype}[${shape}]${bytesOf(data).toString('hex')}` : undefined;
    const known = key === undefined ? undefined : this.#shared.get(key);
    if (known) return known;
    const id = this.#nextId++;
    // The caller may go on using its memory.
    const value: Value = { id, name: `constant/${id}`, shape, dtype, data: data.slice() };
    this.constants.push(value);
    if (key !== undefined) this.#shared.set(key, value);
    return value;
  }

  scalar(number: number, dtype: ElementType = 'float32'): Value {
    return this.constant(arrayOf([number], dtype), [], dtype);
  }

  /** A list of sizes, axes or positions. */
  ints(list: readonly number[]): Value {
    return this.constant(arrayOf(list, 'int64'), [list.length], 'int64');
  }

  /** Appends a node with one output. */
  emit(type: string, inputs: readonly Value[], result: ResultType, attributes: Attributes = {}): Value {
    const operation = this.#append(type, inputs, attributes);
    return this.#result(operation, result);
  }

  /** Appends a node with several outputs. */
  emitMany(
    type: string,
    inputs: readonly Value[],
    results: readonly ResultType[],
    attributes: Attributes = {},
  ): Value[] {
    const operation = this.#append(type, inputs, attributes);
    return results.map((result) => this.#result(operation, result));
  }

  /** Declares an output. A value that is no operation's, or that is an output already, is copied. */
  output(name: string, value: Value): void {
    const taken = !value.operation || this.outputs.includes(value);
    const given = taken ? this.emit('Identity', [value], value) : value;
    given.name = name;
    this.outputs.push(given);
  }

  /** The operations and constants that the outputs need, in the order of recording. */
  needed(): { operations: Operation[]; values: ReadonlySet<Value> } {
    const values = new Set<Value>(this.outputs);
    const operations = this.operations.toReversed().filter((operation) => {
      if (!operation.outputs.some((value) => values.has(value))) return false;
      for (const value of operation.inputs) values.add(value);
      return true;
    });
    return { operations: operations.reverse(), values };
  }

  /**
   * The graph as an ONNX model, without what no output needs.
   * @param freeAxis name of the first axis of inputs and outputs, where it is to be free
   */
  encode(name: string, freeAxis?: string): Uint8Array {
    const { operations, values } = this.needed();
    const declare = (value: Value) => declaration(value, freeAxis);
    return encodeModel({
      ir_version: writtenIrVersion,
      producer_name: 'h2o-edge',
      opset_import: [{ domain: '', version: writtenOpset }],
      graph: [
        {
          name,
          node: operations.map(({ type, inputs, outputs, attributes, kernel }, index) => ({
            op_type: type,
            name: `${index}/${kernel}`,
            input: inputs.map((value) => value.name),
            output: outputs.map((value) => value.name),
            attribute: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
          })),
          initializer: this.constants.filter((value) => values.has(value)).map(initializer),
          input: this.inputs.filter((value) => values.has(value)).map(declare),
          output: this.outputs.map(declare),
        },
      ],
    });
  }

  #append(type: string, inputs: readonly Value[], attributes: Attributes): Operation {
    const { kernel, calledFrom } = this;
    const operation: Operation = { type, inputs, outputs: [], attributes, kernel, calledFrom };
    this.operations.push(operation);
    return operation;
  }

  #result(operation: Operation, { shape, dtype }: ResultType): Value {
    const id = this.#nextId++;
    const value: Value = { id, name: `value/${id}`, shape, dtype, operation };
    operation.outputs.push(value);
    return value;
  }
}

export function arrayOf(numbers: ArrayLike<number>, dtype: ElementType): ConstantData {
  switch (dtype) {
    case 'float32':
      return Float32Array.from(numbers);
    case 'int32':
      return Int32Array.from(numbers);
    case 'int64':
      return BigInt64Array.from(numbers, BigInt);
    case 'bool':
      return Uint8Array.from(numbers, (value) => (value ? 1 : 0));
  }
}

/** ONNX wants raw data little-endian, as every machine is that we run on. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: ConstantData): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

function initializer({ name, shape, dtype, data }: Value): OnnxTensor {
  return { name, dims: [...shape], data_type: dataTypes[dtype], raw_data: data ? bytesOf(data) : new Uint8Array() };
}

function attribute(name: string, value: AttributeValue): OnnxAttribute {
  if ('float' in value) return { name, type: attributeTypes.float, f: value.float };
  if ('int' in value) return { name, type: attributeTypes.int, i: value.int };
  return { name, type: attributeTypes.ints, ints: [...value.ints] };
}

function declaration({ name, shape, dtype }: Value, freeAxis: string | undefined): OnnxValue {
  const dim = shape.map(
    (size, axis): OnnxDimension =>
      axis === 0 && freeAxis !== undefined ? { dim_param: freeAxis } : { dim_value: size },
  );
  return { name, type: [{ tensor_type: [{ elem_type: dataTypes[dtype], shape: [{ dim }] }] }] };
}
