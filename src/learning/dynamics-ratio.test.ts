import { describe, expect, it } from 'vitest';
import { discriminatorInput, dynamicsGap, gapPenalty } from './dynamics-ratio.ts';
import { momentsOf, nextStateSigma } from './statistics.ts';
import { tf } from './tf.ts';

const numbers = (tensor: tf.Tensor) => [...tensor.dataSync()];
const gapOf = (means: readonly number[], gate: 'masked' | 'floor') => dynamicsGap(tf.tensor1d([...means]), 1, 10, gate);

describe('pairs without a gap', () => {
  it('leave the penalty, masked or by the floor, as if they were not there', () => {
    tf.tidy(() => {
      const q = tf.tensor1d([1, -2, 900, 4]);
      const only = gapPenalty(tf.tensor1d([1, 4]), tf.tensor1d([0.5]), tf.log(tf.tensor1d([0.25, 0.75])), 1);
      const masked = gapOf([1, -1, 0, 3], 'masked');
      expect(numbers(masked.u)).toEqual([1, 0, 0, 3]);
      expect(numbers(masked.omega)).toEqual([0.25, 0, 0, 0.75]);
      expect(numbers(masked.active)).toEqual([1]);
      // The third has no gap, and so its value of 900 does not count.
      const penalty = gapPenalty(q, tf.tensor1d([0.5]), masked.logOmega, 1);
      expect(numbers(penalty)[0]).toBeCloseTo(numbers(only)[0] ?? Number.NaN, 5);
    });
  });

  it('by the floor a value that is high enough comes through, which is why masked is the default', () => {
    tf.tidy(() => {
      // Σu below 2: log ω is −103, and Q = 900 outweighs it.
      const floored = gapOf([0.25, -1, 0, 0.75], 'floor');
      const q = tf.tensor1d([1, -2, 900, 4]);
      expect(numbers(gapPenalty(q, tf.tensor1d([0]), floored.logOmega, 1))[0]).toBeCloseTo(900 - 103.28, 1);
      const masked = gapOf([0.25, -1, 0, 0.75], 'masked');
      expect(numbers(gapPenalty(q, tf.tensor1d([0]), masked.logOmega, 1))[0]).toBeLessThan(4);
    });
  });

  it('a batch of such pairs alone has no penalty, masked, and a uniform one by the floor', () => {
    tf.tidy(() => {
      const masked = gapOf([-1, -2, 0], 'masked');
      expect(numbers(masked.active)).toEqual([0]);
      expect(numbers(masked.omega)).toEqual([0, 0, 0]);
      const slope = tf.grad((q: tf.Tensor) =>
        tf.mul(gapPenalty(q, tf.zerosLike(q), masked.logOmega, 1), masked.active),
      );
      expect(numbers(slope(tf.tensor1d([1, 2, 3]))).map(Math.abs)).toEqual([0, 0, 0]);
      const floored = gapOf([-1, -2, 0], 'floor');
      for (const omega of numbers(floored.omega)) expect(omega).toBeCloseTo(1 / 3, 6);
    });
  });

  it('seeds do not share their sums', () => {
    tf.tidy(() => {
      const both = dynamicsGap(
        tf.tensor2d([
          [1, 3, -1],
          [-1, -1, -1],
        ]),
        1,
        10,
        'masked',
      );
      expect(numbers(both.omega)).toEqual([0.25, 0.75, 0, 0, 0, 0]);
      expect(numbers(both.active)).toEqual([1, 0]);
    });
  });
});

describe('spreads', () => {
  const s = [0, 10, 2, 10, 4, 10, 6, 10];
  const sNext = [1, 10, 2, 10, 5, 10, 6, 10];

  it('of the data, of its changes, and of a buffer that is mostly zeros', () => {
    const rows = { s, sNext, width: 2 };
    expect(nextStateSigma('state', rows)).toEqual([Math.sqrt(5), 0]);
    expect(nextStateSigma('change', rows)).toEqual([0.5, 0]);
    // 4 rows of 44: E[x²] = (0 + 4 + 16 + 36)/44, E[x] = 12/44
    expect(nextStateSigma('published', rows)[0]).toBeCloseTo(Math.sqrt(56 / 44 - (12 / 44) ** 2) + 1e-3, 12);
    expect(nextStateSigma('published', rows)[1]).toBeCloseTo(Math.sqrt(400 / 44 - (40 / 44) ** 2) + 1e-3, 12);
  });

  it('discriminators see standardised states and changes where they are told to', () => {
    tf.tidy(() => {
      const batch = {
        s: tf.tensor2d(s, [4, 2]),
        a: tf.tensor2d([1, 2, 3, 4], [4, 1]),
        sNext: tf.tensor2d(sNext, [4, 2]),
      };
      const unit = { mean: [0, 0], std: [1, 1] };
      const scaling = {
        s: { mean: [3, 10], std: [2, 1] },
        a: momentsOf([1, 2, 3, 4], 1),
        change: { ...unit, std: [0.5, 1] },
      };
      const seen = discriminatorInput(batch, scaling);
      expect(numbers(seen.s)).toEqual([-1.5, 0, -0.5, 0, 0.5, 0, 1.5, 0]);
      expect(numbers(seen.sNext)).toEqual([2, 0, 0, 0, 2, 0, 0, 0]);
      expect(numbers(tf.mean(seen.a))[0]).toBeCloseTo(0, 6);
      expect(discriminatorInput(batch, null)).toEqual(batch);
    });
  });
});
