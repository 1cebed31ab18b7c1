import * as layers from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { balancerPolicy } from '../../policy/balancer-policy.ts';
import type { Manifest } from '../../policy/manifest.ts';
import { inspectModel } from '../../policy/onnx-inspect.ts';
import { PolicySession } from '../../policy/runtime.ts';
import { goldenReasons, modelReasons } from '../../policy/vet-model.ts';
import { loadRobot } from '../../robot/robot.ts';
import { tasks } from '../../robot/tasks/tasks.ts';
import { tf } from '../tf.ts';
import { exportModel, type PolicyFunction } from './export-model.ts';
import { numbersOf, tensorOf } from './tracing.testing.ts';

/** of the observation of the robot's first task */
const width = 5;
const sizes = { observation: width, action: 1 };

/** What a policy of the robot's first task says of itself, whatever its model. */
async function manifestFor(model: Uint8Array, pairs: Manifest['golden']['pairs']): Promise<Manifest> {
  const [task] = Object.values(tasks);
  if (!task) throw new Error('no tasks');
  const { draft } = await balancerPolicy(task, loadRobot('wheel-legged'));
  const bytes = { sha256: '', bytes: model.length, opset: inspectModel(model).opset };
  return { ...draft, model: bytes, golden: { tolerance: 1e-5, pairs } } as Manifest;
}

async function checkOnRobot(policy: PolicyFunction, model: Uint8Array): Promise<void> {
  const rows = Array.from({ length: 5 }, (_, at) => [...numbersOf(at + 1, width)]);
  const actions = tf.tidy(() => [...policy(tf.tensor2d(rows)).dataSync()]);
  const pairs = rows.map((observation, at) => ({ observation, action: [actions[at] ?? Number.NaN] }));
  const manifest = await manifestFor(model, pairs);
  expect(modelReasons(model, manifest)).toEqual([]);
  // The pairs are the eager model's: batch of five there, one by one here.
  expect(await goldenReasons(model, manifest)).toEqual([]);
}

describe('an exported model', () => {
  it('of a squashed Gaussian policy passes the vetting of robots, and gives what the eager one gives', async () => {
    const [w1, b1, w2, b2] = [[width, 16], [16], [16, 2], [2]].map((shape, at) => tensorOf(at + 1, shape, -0.5, 0.5));
    if (!w1 || !b1 || !w2 || !b2) throw new Error('no weights');
    const policy: PolicyFunction = (s) => {
      const [mean = s] = tf.split(tf.add(tf.matMul(tf.relu(tf.add(tf.matMul(s, w1), b1)), w2), b2), 2, -1);
      return tf.tanh(mean);
    };
    const model = exportModel(policy, sizes);
    expect(inspectModel(model)).toMatchObject({
      inputs: [{ name: 'observation', dtype: 'float32', shape: ['batch', width] }],
      outputs: [{ name: 'action', dtype: 'float32', shape: ['batch', 1] }],
    });
    await checkOnRobot(policy, model);
  });

  it('of variables that the policy reads holds their values', async () => {
    const w = tf.variable(tensorOf(3, [width, 1]), true, 'exported');
    const policy: PolicyFunction = (s) => tf.clipByValue(tf.matMul(tf.reshape(s, [-1, width]), w), -1, 1);
    await checkOnRobot(policy, exportModel(policy, sizes));
    expect(() =>
      exportModel((s) => {
        w.assign(tf.neg(w));
        return policy(s);
      }, sizes),
    ).toThrow(/assigns variables: next\/exported/);
    w.dispose();
  });

  it('of a model of tfjs-layers with normalisation works too', async () => {
    const network = layers.sequential({
      layers: [
        layers.layers.dense({ units: 8, activation: 'elu', inputShape: [width] }),
        layers.layers.layerNormalization(),
        layers.layers.dense({ units: 8, activation: 'softplus' }),
        layers.layers.dense({ units: 1, activation: 'tanh' }),
      ],
    });
    const policy: PolicyFunction = (s) => network.predict(s) as tf.Tensor;
    await checkOnRobot(policy, exportModel(policy, sizes));
    network.dispose();
  });

  const refused: readonly [string, PolicyFunction, RegExp][] = [
    [
      'mixes the rows of its batch',
      (s) => tf.sub(tf.slice(s, [0, 0], [-1, 1]), tf.mean(s)),
      /depends on the size of the batch/,
    ],
    ['gives another number of actions', (s) => s, /gives \[batch, 5\], not \[batch, 1\]/],
    [
      'chooses',
      (s) => tf.slice(tf.where(tf.greater(s, 0), s, tf.neg(s)), [0, 0], [-1, 1]),
      /needs Greater .* robots refuse/,
    ],
    ['draws its actions', (s) => tf.add(tf.slice(s, [0, 0], [-1, 1]), tf.randomNormal([1])), /draws random numbers/],
  ];
  it.each(refused)('is refused of one that %s', (_what, policy, message) => {
    const tensors = tf.memory().numTensors;
    expect(() => exportModel(policy, sizes)).toThrow(message);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('runs for any size of batch', async () => {
    const model = exportModel((s) => tf.tanh(tf.reshape(tf.sum(s, 1), [-1, 1])), sizes);
    const session = await PolicySession.open(model, width, 1);
    expect((await session.run([0.1, 0.2, -0.1, 0.3, 0]))[0]).toBeCloseTo(Math.tanh(0.5), 6);
    await session.release();
  });
});
