import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tf } from '../tf.ts';
import { type Step, trace } from './trace.ts';

let w: tf.Variable;
let other: tf.Variable;
beforeEach(() => {
  w = tf.variable(tf.tensor1d([1, 2]), true, 'w');
  other = tf.variable(tf.tensor1d([3, 4]), true, 'other');
});
afterEach(() => tf.dispose([w, other]));

const inputs = { x: { shape: [2], dtype: 'float32' } } as const;
/** A step that gives this of its input, and adds it to w. */
const stepOf =
  (body: (x: tf.Tensor) => tf.Tensor): Step =>
  ({ x }) => {
    const y = body(x ?? tf.scalar(Number.NaN));
    w.assign(tf.add(w, y));
    return { y };
  };

let count = 0;
const refused: readonly [string, (x: tf.Tensor) => tf.Tensor, RegExp, RegExp][] = [
  [
    'draws random numbers',
    (x) => tf.add(x, tf.randomNormal([2])),
    /draws random numbers \(tf\.randomNormal\)/,
    /input/,
  ],
  ['draws with a seed', (x) => tf.add(x, tf.randomUniform([2], 0, 1, 'float32', 7)), /tf\.randomUniform/, /input/],
  ['drops out', (x) => tf.dropout(x, 0.5, undefined, 3), /draws random numbers/, /input/],
  [
    'takes numbers of Math.random',
    (x) => tf.mul(x, Math.random()),
    /operation \d+ \(Multiply, called from guards\.test\.ts:\d+:\d+\) takes the constant 0\.\d+, then the constant 0\.\d+/,
    /input or a variable/,
  ],
  ['counts', (x) => tf.mul(x, ++count), /Multiply.* takes the constant \d+, then the constant \d+/, /schedules/],
  [
    'takes arrays that change',
    (x) => tf.add(x, tf.tensor1d([++count, 2])),
    /constants \d+, 2, … \(2 of them\), then/,
    /input/,
  ],
  [
    'branches by a counter',
    (x) => (++count % 2 === 0 ? tf.exp(x) : tf.log(x)),
    /becomes (Exp|Log), then (Exp|Log)/,
    /input/,
  ],
  ['does more the second time', (x) => (++count % 2 === 0 ? tf.exp(x) : x), /operation|the second time/, /input/],
  ['reads numbers', (x) => tf.mul(x, x.dataSync()[0] ?? 0), /reads the numbers of a tensor/, /tf\.where/],
  ['reads another variable', (x) => tf.add(x, other), /variable "other", which is not among/, /add it/],
  ['makes a variable', (x) => tf.add(x, tf.variable(x, true, 'newborn')), /makes variables: "newborn"/, /before/],
  ['makes a variable by an optimizer', adamOfTfjs, /makes variables/, /optimizer/],
  ['uses a kernel that is not covered', (x) => tf.real(tf.fft(tf.complex(x, x))), /does not cover|complex/, /./],
  ['makes texts', (x) => (tf.tensor(['a']) ? x : x), /tensor of string/, /float32/],
  ['fails', (x) => tf.transpose(x, [0, 1]), /the step fails: Error in transpose/, /"cpu" first/],
  ['gives no tensor', () => 3 as unknown as tf.Tensor, /./, /./],
];

const misfits: readonly [string, (x: tf.Tensor) => tf.Tensor][] = [
  ['BatchMatMul does not take [2, 3] and [2, 3]', () => tf.matMul(tf.ones([2, 3]), tf.ones([2, 3]))],
  ['Reshape does not take [2] and [3]', (x) => tf.reshape(x, [3])],
  ['Add does not take [2] and [3]', (x) => tf.add(x, tf.tensor1d([1, 2, 3]))],
  ['Multiply does not take [2] and [3]', (x) => tf.mul(x, tf.ones([3]))],
  ['Slice does not take [2] and [2]', (x) => tf.slice(x, 1, 2)],
  ['SplitV does not take [2] and [2] and [1]', (x) => tf.split(x, [2, 1])[0] ?? x],
  ['Concat does not take [2, 1] and [1, 2]', (x) => tf.concat([tf.reshape(x, [2, 1]), tf.reshape(x, [1, 2])])],
];

function adamOfTfjs(x: tf.Tensor): tf.Tensor {
  const optimizer = tf.train.adam(0.1);
  optimizer.minimize(() => tf.sum(tf.mul(w, x)) as tf.Scalar, false, [w]);
  return x;
}

describe('a step that would be fixed silently is refused, and nothing is changed by that', () => {
  it.each(refused)('one that %s', (_what, body, message, remedy) => {
    const eager = tf.getBackend();
    const { numTensors, numBytes } = tf.memory();
    const refusal = expect.objectContaining({
      codeName: 'tracingFailed',
      message: expect.stringMatching(message),
      remedy: expect.stringMatching(remedy),
    });
    expect(() => trace(stepOf(body), inputs, [w])).toThrow(refusal);
    expect(tf.getBackend()).toBe(eager);
    expect([...w.dataSync(), ...other.dataSync()]).toEqual([1, 2, 3, 4]);
    expect(tf.memory()).toMatchObject({ numTensors, numBytes });
    expect(Object.keys(tf.engine().state.registeredVariables)).toEqual(['w', 'other']);
  });

  it.each(misfits)('one with shapes that do not fit: %s', (message, body) => {
    expect(() => trace(stepOf(body), inputs, [w])).toThrow(message);
  });

  it('one whose names are not distinct', () => {
    const step = stepOf((x) => x);
    expect(() => trace(step, { w: inputs.x }, [w])).toThrow(/two inputs or variables are named "w"/);
    expect(() => trace(({ x }) => ({ w: x ?? w }), inputs, [w])).toThrow(/has the name of an input or a variable/);
    expect(() => trace(({ x }) => ({ x: x ?? w }), inputs, [w])).toThrow(/has the name of an input or a variable/);
    const gone = tf.variable(tf.scalar(1), true, 'gone');
    gone.dispose();
    expect(() => trace(step, inputs, [gone])).toThrow(/"gone" is disposed/);
  });
});

describe('tracing', () => {
  it('leaves variables, memory and backend as they were', () => {
    const before = { ...tf.memory() };
    const traced = trace(
      stepOf((x) => tf.mul(x, 2)),
      inputs,
      [w, other],
    );
    expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numBytes: before.numBytes });
    expect([...w.dataSync()]).toEqual([1, 2]);
    expect(traced).toMatchObject({
      inputs: [{ name: 'x', shape: [2], dtype: 'float32' }],
      outputs: [{ name: 'y', shape: [2], dtype: 'float32' }],
      state: [{ name: 'w' }, { name: 'other' }],
      updated: ['w'],
    });
  });

  it('of the same step gives the same bytes', () => {
    const step = stepOf((x) => tf.softplus(tf.mul(x, w)));
    expect(trace(step, inputs, [w]).model).toEqual(trace(step, inputs, [w]).model);
  });
});
