import { describe, expect, it } from 'vitest';
import { TransitionMemory } from './transition-memory.ts';
import { View } from './view.ts';

/** Row n: observation [n, 10n], action n/100, reward n, next [n + 1, 10n + 10]. */
function filled(rows: number, capacity: number): TransitionMemory {
  const memory = new TransitionMemory(capacity, 2, 1);
  for (let n = 0; n < rows; n++) {
    memory.add(Float32Array.of(n, 10 * n), Float32Array.of(n / 100), {
      reward: n,
      observation: Float32Array.of(n + 1, 10 * n + 10),
      terminated: n % 4 === 3,
      truncated: n % 4 === 1,
    });
  }
  return memory;
}

const batchOf = (rows: number, width: number) => ({
  rows,
  s: new Float32Array(rows * width),
  a: new Float32Array(rows),
  sNext: new Float32Array(rows * width),
  r: new Float32Array(rows),
  done: new Float32Array(rows),
});

/** Draws these rows, one after the other. */
const drawing = (...rows: number[]) => ({ index: () => rows.shift() ?? 0 });

const plain = new View(['p', 'q'], {
  terms: [
    { name: 'p', scale: 1 },
    { name: 'q', scale: 1 },
  ],
  reward: { offset: 0, scale: 1 },
});

describe('the ring', () => {
  it('keeps the newest rows, oldest first when it is saved, and ends what it has cut', () => {
    const ring = filled(10, 6);
    expect(ring.rows).toBe(6);
    const saved = ring.transitions({});
    expect([...saved.rewards]).toEqual([4, 5, 6, 7, 8, 9]);
    expect([...saved.observations]).toEqual([4, 40, 5, 50, 6, 60, 7, 70, 8, 80, 9, 90]);
    expect([...saved.nextObservations.subarray(10)]).toEqual([10, 100]);
    expect([...saved.terminals]).toEqual([0, 0, 0, 1, 0, 0]);
    expect([...saved.timeouts]).toEqual([0, 1, 0, 0, 0, 1]);
    const short = filled(3, 6).transitions({});
    expect([...short.rewards]).toEqual([0, 1, 2]);
    expect([...short.timeouts]).toEqual([0, 1, 1]);
  });

  it('gives whole rows; a time-out is no end', () => {
    const batch = batchOf(3, 2);
    filled(4, 6).sample(plain, drawing(3, 1, 2), batch);
    expect([...batch.s]).toEqual([3, 30, 1, 10, 2, 20]);
    expect([...batch.sNext]).toEqual([4, 40, 2, 20, 3, 30]);
    expect([...batch.a]).toEqual([3, 1, 2].map((n) => Math.fround(n / 100)));
    expect([...batch.r]).toEqual([3, 1, 2]);
    expect([...batch.done]).toEqual([1, 0, 0]);
  });

  it('shows the networks what the recipe says: hidden numbers, scales, an offset and a scale of the reward', () => {
    const view = new View(['p', 'q'], { terms: [{ name: 'q', scale: 0.5 }], reward: { offset: 2, scale: 3 } });
    const batch = batchOf(2, 1);
    filled(4, 6).sample(view, drawing(1, 2), batch);
    expect([...batch.s]).toEqual([5, 10]);
    expect([...batch.sNext]).toEqual([10, 15]);
    expect([...batch.r]).toEqual([-3, 0]);
    expect(() => new View(['p'], { terms: [{ name: 'q', scale: 1 }], reward: { offset: 0, scale: 1 } })).toThrow(
      expect.objectContaining({ codeName: 'trainingInvalid' }),
    );
  });

  it('goes on from what it remembers', () => {
    const [ring, other] = [filled(10, 6), new TransitionMemory(6, 2, 1)];
    const { observations, actions, rewards, nextObservations, ends } = ring.remember();
    other.recall({ observations, actions, rewards, nextObservations, ends }, ring.added);
    expect(other.transitions({})).toEqual(ring.transitions({}));
  });
});
