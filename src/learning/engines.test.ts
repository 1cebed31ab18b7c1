import { describe, expect, it } from 'vitest';
import { stateOf } from './eager-runner.ts';
import { engineNames, openEngine } from './engines.ts';
import { tf } from './tf.ts';
import { actorCritic } from './tracing/steps.testing.ts';
import { dataOf, expectClose } from './tracing/tracing.testing.ts';

const sizes = { observation: 3, action: 1, hidden: 8, batch: 4 };
const numbersIn = (tensors: Readonly<Record<string, tf.Tensor>>) =>
  Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, dataOf(x)]));

describe('the engines', () => {
  it('are these', () => expect(engineNames).toEqual(['onnx', 'cpu', 'tfjs-node']));

  it('give the same for the same step, and can hand over to each other', async () => {
    const agent = actorCritic(sizes);
    const [first, second] = [1, 2].map((t) => numbersIn(agent.feeds(t)));
    if (!first || !second) throw new Error('no inputs');
    const traced = await openEngine('onnx', agent, { inThisThread: true });
    const eager = await openEngine('cpu', agent);
    const before = await eager.getState();
    expectClose(await traced.run(first), await eager.run(first), 2e-6);
    const after = await eager.getState();
    expectClose(await traced.getState(), after, 2e-6);
    expect(after).not.toEqual(before);

    await traced.setState(after);
    expect(await traced.getState()).toEqual(after);
    const onwards = await eager.run(second);
    expectClose(await traced.run(second), onwards, 2e-6);

    await eager.setState(after);
    expect(stateOf(agent.variables)).toEqual(after);
    // What the caller does with its memory afterwards is its own affair.
    for (const numbers of Object.values(after)) numbers.fill(3);
    expect(await eager.run(second)).toEqual(onwards);
    for (const runner of [traced, eager]) await runner.dispose();
    agent.dispose();
  });

  it('cpu leaves no tensor behind, and refuses what onnx refuses', async () => {
    const agent = actorCritic(sizes);
    const runner = await openEngine('cpu', agent);
    const inputs = numbersIn(agent.feeds(1));
    await runner.run(inputs);
    const { numTensors } = tf.memory();
    for (let count = 0; count < 3; count++) await runner.run(inputs);
    expect(tf.memory().numTensors).toBe(numTensors);
    await expect(runner.run({ ...inputs, more: 1 })).rejects.toMatchObject({ codeName: 'stepInvalid' });
    await expect(runner.run({})).rejects.toMatchObject({ codeName: 'stepInvalid' });
    await expect(runner.setState({ more: new Float32Array(1) })).rejects.toMatchObject({ codeName: 'stepInvalid' });
    agent.dispose();
  });

  it('name what is missing, and the command that adds it', async () => {
    const agent = actorCritic(sizes);
    expect(() => openEngine('gpu', agent)).toThrow(/there is no engine "gpu"/);
    await expect(openEngine('tfjs-node', agent)).rejects.toMatchObject({
      codeName: 'engineUnavailable',
      remedy: expect.stringMatching(/npm install .*@tensorflow\/tfjs-node/),
    });
    agent.dispose();
  });
});
