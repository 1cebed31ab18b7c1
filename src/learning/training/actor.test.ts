import { expect, it } from 'vitest';
import { layouts, sample, tanhGaussian } from '../networks.ts';
import { tf } from '../tf.ts';
import { Actor } from './actor.ts';
import { NoiseStream } from './noise.ts';

it('acts as the networks that are trained, with noise and without, for each of several seeds', () => {
  const sizes = { observation: 3, action: 2, hidden: [8, 5], discriminatorHidden: [4] };
  const { policy } = layouts(sizes);
  const parameters = new Float32Array(2 * policy.size);
  new NoiseStream(1).fillNormal(parameters);
  for (const seed of [0, 1]) {
    const own = parameters.slice(seed * policy.size, (seed + 1) * policy.size);
    const actor = new Actor(policy, sizes.action);
    actor.load(parameters, seed);
    const observation = Float32Array.of(0.3, -1.2, 0.7);
    const [best, explored] = [new Float32Array(2), new Float32Array(2)];
    actor.actBest(observation, best);
    actor.explore(observation, explored, new NoiseStream(9));

    const noise = new NoiseStream(9);
    const epsilon = [noise.normal(), noise.normal()];
    const expected = (of: readonly number[]) =>
      tf.tidy(() => {
        const distribution = tanhGaussian(policy, tf.tensor1d(own), tf.tensor2d(observation, [1, 3]));
        return sample(distribution, tf.tensor2d([...of], [1, 2])).action.dataSync<'float32'>();
      });
    for (const [got, wanted] of [
      [best, expected([0, 0])],
      [explored, expected(epsilon)],
    ] as const) {
      got.forEach((value, index) => {
        expect(value).toBeCloseTo(wanted[index] ?? Number.NaN, 5);
      });
    }
    expect(best).not.toEqual(explored);
  }
});
