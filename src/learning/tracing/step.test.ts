import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tf } from '../tf.ts';
import { GraphRunner } from './graph-runner.ts';
import { actorCritic, type Sizes } from './steps.testing.ts';
import { type Traced, trace } from './trace.ts';
import { dataOf, differencesOf, expectClose, runBoth, stateOf } from './tracing.testing.ts';
import type { TensorData } from './value.ts';
import { WorkerRunner } from './worker-runner.ts';

const sizes: Sizes = { observation: 4, action: 2, hidden: 16, batch: 8 };

const numbersIn = (tensors: Readonly<Record<string, tf.Tensor>>) =>
  Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, dataOf(x)]));

describe('a training step', () => {
  it('gives traced what it gives eagerly, ten times in a row', async () => {
    const agent = actorCritic(sizes);
    const start = stateOf(agent.variables);
    const runner = await GraphRunner.create(trace(agent.step, agent.inputs, agent.variables), start);
    for (let t = 1; t <= 10; t++) {
      const feeds = agent.feeds(t);
      const traced = await runner.run(numbersIn(feeds));
      expectClose(traced, numbersIn(agent.step(feeds)), 2e-6);
    }
    const end = stateOf(agent.variables);
    const tracedEnd = await runner.getState();
    // Adam's moments and the parameters; and these have moved by far more than that.
    expectClose(tracedEnd, end, 2e-6);
    expect(Math.min(...Object.values(differencesOf(start, end)))).toBeGreaterThan(1e-4);
    await runner.dispose();
    agent.dispose();
  });

  it('trains three seeds at once as each alone', async () => {
    const together = actorCritic({ ...sizes, seeds: 3 });
    const runner = await GraphRunner.create(
      trace(together.step, together.inputs, together.variables),
      stateOf(together.variables),
    );
    const rowOf = (x: tf.Tensor, at: number) => (x.rank > 1 ? tf.squeeze(tf.slice(x, [at], [1]), [0]) : x);
    const alone = [0, 1, 2].map((at) => {
      const agent = actorCritic(sizes);
      agent.variables.forEach((variable, index) => {
        variable.assign(rowOf(together.variables[index] ?? variable, at));
      });
      return agent;
    });
    for (let t = 1; t <= 5; t++) {
      const feeds = together.feeds(t);
      await runner.run(numbersIn(feeds));
      alone.forEach((agent, at) => {
        agent.step(Object.fromEntries(Object.entries(feeds).map(([name, x]) => [name, rowOf(x, at)])));
      });
    }
    const state = await runner.getState();
    const rows = Object.values(state);
    expect(rows.length).toBe(together.variables.length);
    alone.forEach((agent, at) => {
      const single = Object.values(stateOf(agent.variables));
      const mine = rows.map((row, index) =>
        row.slice(at * (single[index]?.length ?? 0)).slice(0, single[index]?.length),
      );
      const named = (list: TensorData[]) => Object.fromEntries(list.map((row, index) => [`${index}`, row]));
      expectClose(named(mine), named(single), 2e-6);
    });
    await runner.dispose();
    for (const agent of [together, ...alone]) agent.dispose();
  });
});

describe('a runner', () => {
  let agent: ReturnType<typeof actorCritic>;
  let traced: Traced;
  let feeds: ReturnType<typeof numbersIn>[];
  beforeAll(() => {
    agent = actorCritic(sizes);
    traced = trace(agent.step, agent.inputs, agent.variables);
    feeds = [1, 2, 3, 4].map((t) => numbersIn(agent.feeds(t)));
  });
  afterAll(() => agent.dispose());

  it('goes on to the bit from a state that was taken and put back', async () => {
    const runner = await GraphRunner.create(traced, stateOf(agent.variables));
    for (const inputs of feeds.slice(0, 2)) await runner.run(inputs);
    const saved = await runner.getState();
    const onwards = [];
    for (const inputs of feeds.slice(2)) onwards.push(await runner.run(inputs));
    const end = await runner.getState();
    expect(end).not.toEqual(saved);

    const other = await GraphRunner.create(traced, stateOf(agent.variables));
    for (const one of [runner, other]) {
      await one.setState(saved);
      const again = [];
      for (const inputs of feeds.slice(2)) again.push(await one.run(inputs));
      expect(again).toEqual(onwards);
      expect(await one.getState()).toEqual(end);
      await one.dispose();
    }
  });

  it('keeps its state from the hands of its caller', async () => {
    const given = stateOf(agent.variables);
    const runner = await GraphRunner.create(traced, given);
    const before = await runner.getState();
    for (const numbers of Object.values(given)) numbers.fill(7);
    for (const numbers of Object.values(await runner.getState())) numbers.fill(7);
    expect(await runner.getState()).toEqual(before);
    await runner.dispose();
  });

  it('in a thread of its own gives the same to the bit, for any order of asking', async () => {
    const [here, there] = [
      await GraphRunner.create(traced, stateOf(agent.variables)),
      await WorkerRunner.create(traced, stateOf(agent.variables)),
    ];
    const expected = [];
    for (const inputs of feeds) expected.push(await here.run(inputs));
    expect(await Promise.all(feeds.map((inputs) => there.run(inputs)))).toEqual(expected);
    const state = await there.getState();
    expect(state).toEqual(await here.getState());
    await there.setState(stateOf(agent.variables));
    expect(await there.run(feeds[0] ?? {})).toEqual(expected[0]);
    await expect(there.run({})).rejects.toMatchObject({ codeName: 'stepInvalid', message: /"s" is missing/ });
    await there.dispose();
    await there.dispose();
    await expect(there.run(feeds[0] ?? {})).rejects.toMatchObject({ codeName: 'stepInvalid' });
    await here.dispose();
  });

  it('says what it was not given, or does not know', async () => {
    const [first = {}] = feeds;
    const runner = await GraphRunner.create(traced, stateOf(agent.variables));
    const refusals: [object, RegExp][] = [
      [{ ...first, s: new Float32Array(3) }, /"s" is 3 numbers, the step takes 32 \[8, 4\]/],
      [{ ...first, t: undefined }, /"t" is missing, the step takes 1/],
      [{ ...first, reward: 1 }, /no input "reward"/],
    ];
    for (const [inputs, message] of refusals) {
      await expect(runner.run(inputs as typeof first)).rejects.toMatchObject({ codeName: 'stepInvalid', message });
    }
    const before = await runner.getState();
    const [one = '', two = ''] = Object.keys(before);
    const bad = { [one]: (before[one] ?? new Float32Array()).map(() => 1), [two]: new Float32Array(1) };
    await expect(runner.setState(bad)).rejects.toMatchObject({ codeName: 'stepInvalid' });
    await expect(runner.setState({ other: new Float32Array(1) })).rejects.toMatchObject({
      message: /no variable "other"/,
    });
    expect(await runner.getState()).toEqual(before);
    await runner.dispose();
    await expect(GraphRunner.create(traced, {})).rejects.toMatchObject({ codeName: 'stepInvalid' });
    await expect(GraphRunner.create({ ...traced, model: new Uint8Array(9) }, before)).rejects.toMatchObject({
      codeName: 'tracingFailed',
    });
    await expect(WorkerRunner.create(traced, {})).rejects.toMatchObject({ codeName: 'stepInvalid' });
  });

  it('takes plain numbers for scalars', async () => {
    const runner = await GraphRunner.create(traced, stateOf(agent.variables));
    const first = feeds[0] ?? {};
    const one = await runner.run(first);
    await runner.setState(stateOf(agent.variables));
    expect(await runner.run({ ...first, t: 1, lr: 3e-3 })).toEqual(one);
    await runner.dispose();
  });

  it('does not grow with its steps', async () => {
    const runner = await GraphRunner.create(traced, stateOf(agent.variables));
    const first = feeds[0] ?? {};
    for (let count = 0; count < 500; count++) await runner.run(first);
    const tensors = tf.memory().numTensors;
    const before = process.memoryUsage.rss();
    for (let count = 0; count < 2000; count++) await runner.run(first);
    expect(tf.memory().numTensors).toBe(tensors);
    // A leak of the outputs alone would be 2000 · 15 kB = 30 MB, of the inputs as much again.
    expect(process.memoryUsage.rss() - before).toBeLessThan(25e6);
    await runner.dispose();
  });
});

describe('a tensor from outside', () => {
  it('has its own shape in the step, also where it shares its numbers with another', async () => {
    const flat = tf.tensor1d([1, 2, 3, 4, 5, 6]);
    const matrix = tf.reshape(flat, [2, 3]);
    const x = tf.tensor2d([[1, -1, 2]]);
    const { traced, eager } = await runBoth(
      (inputs) => ({ rows: tf.matMul(inputs.x as tf.Tensor, matrix, false, true), itself: matrix, flat }),
      { x },
    );
    expect(traced).toEqual(eager);
    expect([...(eager.rows ?? [])]).toEqual([5, 11]);
    for (const tensor of [flat, matrix, x]) tensor.dispose();
  });
});
