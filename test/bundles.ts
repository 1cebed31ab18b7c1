import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { balancerPolicy } from '../src/policy/balancer-policy.ts';
import { writeBundle } from '../src/policy/bundle.ts';
import {
  decodeModel,
  encodeModel,
  float32Type,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
} from '../src/policy/onnx-format.ts';
import { goldenPairs, PolicySession } from '../src/policy/runtime.ts';
import { loadRobot } from '../src/robot/robot.ts';
import { standingStill } from '../src/robot/tasks/standing-still.ts';

/** Real policies that are bad in one way each, and otherwise the balancer's linear law. */

const tensor = (name: string, dims: number[], values: number[]): OnnxTensor => ({
  name,
  dims,
  data_type: float32Type,
  float_data: values,
});

interface Addition {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  /** [batch, 1] */
  readonly result: string;
}

/** So little that the sum is the same number. */
const NEXT_TO_NOTHING = 1e-12;

/** The linear law with something added to its action that changes nothing, as long as it is a number. */
async function lawWith(addition: (observations: readonly string[]) => Addition | Promise<Addition>) {
  const { draft, model } = await balancerPolicy(standingStill, loadRobot('wheel-legged'));
  const onnx = decodeModel(model);
  const [graph] = onnx.graph;
  if (!graph) throw new Error('the balancer has no graph');
  const { nodes, initializers, result } = await addition(draft.observation.terms.map(({ name }) => name));
  const renamed = graph.node.map((node) => ({
    ...node,
    output: node.output.map((name) => (name === 'action' ? 'law' : name)),
  }));
  const changed: OnnxModel = {
    ...onnx,
    graph: [
      {
        ...graph,
        node: [
          ...renamed,
          ...nodes,
          { op_type: 'Mul', input: [result, 'nearly-zero'], output: ['next-to-nothing'] },
          { op_type: 'Add', input: ['law', 'next-to-nothing'], output: ['action'] },
        ],
        initializer: [...graph.initializer, ...initializers, tensor('nearly-zero', [], [NEXT_TO_NOTHING])],
      },
    ],
  };
  return { draft, model: encodeModel(changed) };
}

/** Observations at which every one of these policies gives a number. */
const probes = (size: number): number[][] =>
  [0, 0.01, -0.01, 0.02, -0.02].map((value) => Array<number>(size).fill(value));

async function write(
  folder: string,
  id: string,
  policy: Awaited<ReturnType<typeof lawWith>>,
  release: KeyObject,
): Promise<void> {
  const { draft, model } = policy;
  const pairs = await goldenPairs(model, 1, probes(draft.observation.terms.length));
  const golden = { tolerance: 1e-5, pairs };
  writeBundle(join(folder, id), { ...draft, id, golden, description: 'for a test' }, model, release);
}

const WIDTH = 512;

/** As many products of a vector with the same matrix, one after the other, as asked for. */
const products = (length: number) =>
  lawWith((observations) => {
    const size = observations.length;
    const nodes: OnnxNode[] = [{ op_type: 'MatMul', input: ['observation', 'widen'], output: ['h0'] }];
    for (let step = 0; step < length; step++) {
      nodes.push({ op_type: 'MatMul', input: [`h${step}`, 'mix'], output: [`h${step + 1}`] });
    }
    nodes.push({ op_type: 'MatMul', input: [`h${length}`, 'narrow'], output: ['mean'] });
    const mean = 1 / WIDTH;
    return {
      nodes,
      initializers: [
        tensor('widen', [size, WIDTH], Array<number>(size * WIDTH).fill(0.01)),
        tensor('mix', [WIDTH, WIDTH], Array<number>(WIDTH * WIDTH).fill(mean)),
        tensor('narrow', [WIDTH, 1], Array<number>(WIDTH).fill(mean)),
      ],
      result: 'mean',
    };
  });

/** Shortest of some runs on this machine [ms]. */
async function fastestRun({ model, draft }: Awaited<ReturnType<typeof lawWith>>): Promise<number> {
  const observation = Array<number>(draft.observation.terms.length).fill(0.01);
  const session = await PolicySession.open(model, observation.length, 1);
  let fastest = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 30; run++) {
    const began = performance.now();
    await session.run(observation);
    fastest = Math.min(fastest, performance.now() - began);
  }
  await session.release();
  return fastest;
}

/** A sane policy that takes this long on this machine, at its fastest [ms]. */
export async function writeSlowBundle(folder: string, id: string, milliseconds: number, release: KeyObject) {
  const sample = 40;
  const each = (await fastestRun(await products(sample))) / sample;
  await write(folder, id, await products(Math.ceil(milliseconds / each)), release);
}

/** A policy that answers NaN once the robot is faster than this [m/s]. */
export async function writeNonFiniteBundle(folder: string, id: string, speed: number, release: KeyObject) {
  const policy = await lawWith((observations) => ({
    nodes: [
      { op_type: 'MatMul', input: ['observation', 'pick-v'], output: ['v'] },
      { op_type: 'Mul', input: ['v', 'v'], output: ['v²'] },
      { op_type: 'Sub', input: ['limit²', 'v²'], output: ['margin'] },
      { op_type: 'Sqrt', input: ['margin'], output: ['root'] },
    ],
    initializers: [
      tensor(
        'pick-v',
        [observations.length, 1],
        observations.map((name) => (name === 'v' ? 1 : 0)),
      ),
      tensor('limit²', [], [speed ** 2]),
    ],
    result: 'root',
  }));
  await write(folder, id, policy, release);
}
