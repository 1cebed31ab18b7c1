import { messageOf } from '../../errors.ts';
import { bundleFiles } from '../bundle.ts';
import { decodeModel, encodeModel, type OnnxEntry, type OnnxModel } from '../onnx-format.ts';
import { inspectModel, type TensorInfo } from '../onnx-inspect.ts';
import { inputName, outputName, PolicySession } from '../runtime.ts';
import { graphReasons } from '../vet-model.ts';
import { shown } from './shown.ts';

/** A model as another project wrote it, and the same with the names that a bundle has. */
export interface ForeignModel {
  readonly entries: readonly OnnxEntry[];
  readonly original: { readonly bytes: Uint8Array; readonly input: string; readonly output: string };
  /** computes the same; without metadata */
  readonly renamed: Uint8Array;
  readonly inputs: number;
  readonly outputs: number;
}

/**
 * Looks at a model without running it.
 * @returns it, or everything that speaks against running it
 */
export function readForeign(bytes: Uint8Array): ForeignModel | { readonly reasons: readonly string[] } {
  const { most } = bundleFiles.model;
  if (bytes.length > most)
    return { reasons: [`files: the model has ${bytes.length} bytes, allowed are ${most}; train a smaller network`] };
  try {
    const found = inspectModel(bytes);
    const reasons = graphReasons(found);
    if (reasons.length > 0) return { reasons };
    const input = vectorOf('input', found.inputs, reasons);
    const output = vectorOf('output', found.outputs, reasons);
    if (!input || !output) return { reasons };
    const model = decodeModel(bytes);
    const names = { input: input.name, output: output.name };
    return {
      entries: model.metadata_props ?? [],
      original: { bytes, ...names },
      renamed: encodeModel(rename(model, names)),
      inputs: input.width,
      outputs: output.width,
    };
  } catch (error) {
    return { reasons: [`model: ${messageOf(error)}`] };
  }
}

/** The one input or output of a policy: float32 [batch, n]. */
function vectorOf(
  kind: 'input' | 'output',
  found: readonly TensorInfo[],
  reasons: string[],
): { name: string; width: number } | undefined {
  const [only, ...more] = found;
  if (!only || more.length > 0) {
    const names = found.map(({ name }) => shown(name)).join(', ') || 'none';
    const remedy =
      kind === 'input'
        ? 'a policy with a memory, a clock or images cannot be run; train one that sees one vector'
        : 'export the actions alone';
    reasons.push(`shape: the model has the ${kind}s ${names}, it must have one; ${remedy}`);
    return undefined;
  }
  const { name, dtype, shape } = only;
  const [batch, width] = shape ?? [];
  const free = typeof batch === 'string' || batch === 1;
  if (dtype === 'float32' && shape?.length === 2 && free && typeof width === 'number' && width > 0)
    return { name, width };
  const is = `${dtype} [${shape?.map((size) => (typeof size === 'string' ? shown(size) : size)).join(', ') ?? '?'}]`;
  reasons.push(`shape: ${kind} ${shown(name)} is ${is}, it must be float32 [1, n] or [batch, n]; export it so`);
  return undefined;
}

/** The same graph with the names of a bundle's model, and nothing that the exporter said about it. */
function rename(model: OnnxModel, { input, output }: { input: string; output: string }): OnnxModel {
  // Who has one of our names and is something else makes room.
  const names = new Map([
    [inputName, `${inputName}-inside`],
    [outputName, `${outputName}-inside`],
    [input, inputName],
    [output, outputName],
  ]);
  const renamed = (name: string): string => names.get(name) ?? name;
  return {
    ...model,
    producer_name: model.producer_name.slice(0, 64),
    metadata_props: [],
    graph: model.graph.map((graph) => ({
      ...graph,
      node: graph.node.map((node) => ({ ...node, input: node.input.map(renamed), output: node.output.map(renamed) })),
      initializer: graph.initializer.map((tensor) => ({ ...tensor, name: renamed(tensor.name ?? '') })),
      input: graph.input.map((value) => ({ ...value, name: renamed(value.name) })),
      output: graph.output.map((value) => ({ ...value, name: renamed(value.name) })),
    })),
  };
}

export interface TriedModel {
  /** actions of the given observations */
  readonly actions: readonly (readonly number[])[];
  readonly reasons: readonly string[];
}

/** Runs both, and says where they differ or answer what is no number. */
export async function tryModel(
  foreign: ForeignModel,
  observations: readonly (readonly number[])[],
): Promise<TriedModel> {
  const { original, renamed, inputs, outputs } = foreign;
  const sessions: PolicySession[] = [];
  const reasons = new Set<string>();
  const actions: number[][] = [];
  try {
    const before = await PolicySession.open(original.bytes, inputs, outputs, original);
    sessions.push(before);
    const after = await PolicySession.open(renamed, inputs, outputs);
    sessions.push(after);
    for (const observation of observations) {
      const wanted = [...(await before.run(observation))];
      const got = [...(await after.run(observation))];
      actions.push(got);
      if (!wanted.every((value, at) => Object.is(value, got[at]))) {
        reasons.add(
          'model: written anew it computes something else; export it with the input "observation" and the output "action"',
        );
      }
      if (!got.every(Number.isFinite)) {
        const most = Math.max(...observation.map(Math.abs));
        reasons.add(
          `finite: on observations up to ${most} an action is no finite number; limit what the network can reach`,
        );
      }
    }
  } catch (error) {
    reasons.add(`model: ${messageOf(error)}`);
  } finally {
    for (const session of sessions) await session.release();
  }
  return { actions, reasons: [...reasons] };
}
