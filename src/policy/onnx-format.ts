import protobuf from 'protobufjs';
import { EdgeError, messageOf } from '../errors.ts';

/**
 * The part of the ONNX format that policies need. Field numbers: onnx/onnx.proto of the ONNX repository.
 *
 * Messages that stand at most once in the original are `repeated` here wherever they hold what is vetted: protobuf merges
 * a message that comes twice, protobufjs keeps the last. A model with two graphs would be one thing to us and another to
 * ONNX Runtime; so we see both, and refuse.
 */
const proto = `
syntax = "proto3";
message Model {
  int64 ir_version = 1;
  string producer_name = 2;
  repeated Graph graph = 7;
  repeated OperatorSet opset_import = 8;
  repeated Entry metadata_props = 14;
  repeated Opaque training_info = 20;
  repeated Opaque functions = 25;
}
message OperatorSet { string domain = 1; int64 version = 2; }
message Entry { string key = 1; string value = 2; }
message Opaque {}
message Graph {
  repeated Node node = 1;
  string name = 2;
  repeated Tensor initializer = 5;
  repeated Value input = 11;
  repeated Value output = 12;
  repeated Opaque sparse_initializer = 15;
}
message Node {
  repeated string input = 1;
  repeated string output = 2;
  string name = 3;
  string op_type = 4;
  repeated Attribute attribute = 5;
  string domain = 7;
}
message Attribute {
  string name = 1;
  float f = 2;
  int64 i = 3;
  bytes s = 4;
  repeated Tensor t = 5;
  repeated Opaque g = 6;
  repeated float floats = 7;
  repeated int64 ints = 8;
  repeated Tensor tensors = 10;
  repeated Opaque graphs = 11;
  int32 type = 20;
  repeated Opaque sparse_tensor = 22;
  repeated Opaque sparse_tensors = 23;
}
message Tensor {
  repeated int64 dims = 1;
  int32 data_type = 2;
  repeated float float_data = 4;
  repeated int64 int64_data = 7;
  string name = 8;
  bytes raw_data = 9;
  repeated Entry external_data = 13;
  int32 data_location = 14;
}
message Value { string name = 1; repeated Type type = 2; }
message Type { repeated TensorType tensor_type = 1; }
message TensorType { int32 elem_type = 1; repeated Shape shape = 2; }
message Shape { repeated Dimension dim = 1; }
message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
`;
const modelType = protobuf.parse(proto, { keepCase: true }).root.lookupType('Model');

export interface OnnxEntry {
  key: string;
  value: string;
}
export interface OnnxTensor {
  dims: number[];
  data_type: number;
  name?: string;
  float_data?: number[];
  int64_data?: number[];
  raw_data?: Uint8Array;
  external_data?: OnnxEntry[];
  data_location?: number;
}
export interface OnnxAttribute {
  name: string;
  /** one of `attributeTypes` */
  type?: number;
  f?: number;
  i?: number;
  ints?: number[];
  t?: OnnxTensor[];
  tensors?: OnnxTensor[];
  g?: unknown[];
  graphs?: unknown[];
  sparse_tensor?: unknown[];
  sparse_tensors?: unknown[];
}
export interface OnnxNode {
  input: string[];
  output: string[];
  name?: string;
  op_type: string;
  domain?: string;
  attribute?: OnnxAttribute[];
}
export interface OnnxDimension {
  dim_value?: number;
  dim_param?: string;
}
export interface OnnxValue {
  name: string;
  type: { tensor_type: { elem_type: number; shape: { dim: OnnxDimension[] }[] }[] }[];
}
export interface OnnxGraph {
  name: string;
  node: OnnxNode[];
  initializer: OnnxTensor[];
  input: OnnxValue[];
  output: OnnxValue[];
  sparse_initializer?: unknown[];
}
/** One message of the format each; repeated fields are empty, not absent, after decoding. */
export interface OnnxModel {
  ir_version: number;
  producer_name: string;
  graph: OnnxGraph[];
  opset_import: { domain: string; version: number }[];
  metadata_props?: OnnxEntry[];
  training_info?: unknown[];
  functions?: unknown[];
}

/** `data_type` and `elem_type` of single precision. */
export const float32Type = 1;
/** `type` of attributes that we write */
export const attributeTypes = { float: 1, int: 2, ints: 7 } as const;
/** `data_location` of a tensor whose values stand in another file. */
export const externalLocation = 1;

/**
 * Reads a model.
 * @throws EdgeError `modelInvalid`
 */
export function decodeModel(bytes: Uint8Array): OnnxModel {
  try {
    const plain: unknown = modelType.toObject(modelType.decode(bytes), { longs: Number, arrays: true, defaults: true });
    // `defaults` leaves out no field that the type above names: this is what the schema says, seen by the type checker.
    return plain as OnnxModel;
  } catch (error) {
    throw new EdgeError('modelInvalid', `this is no ONNX model: ${messageOf(error)}`, 'export the policy again');
  }
}

/** Writes a model; the same model gives the same bytes. */
export function encodeModel(model: OnnxModel): Uint8Array {
  // fromObject would take a plain array for the bytes of raw_data too; the types forbid it.
  return modelType.encode(modelType.fromObject(model)).finish();
}
