import { describe, expect, it } from 'vitest';
import type { ObservationSpec } from './manifest.ts';
import { type ObservationInput, Observer } from './observation.ts';

const input: ObservationInput = { x: 1, v: 2, pitch: 3, pitchRate: 4, targetVelocity: 5, previousAction: 6 };
const term = (changes: Partial<ObservationSpec['terms'][number]>): ObservationSpec['terms'][number] => ({
  name: 'x',
  scale: 1,
  offset: 0,
  clip: null,
  ...changes,
});
const names = ['previousAction', 'targetVelocity', 'pitchRate', 'pitch', 'v', 'x'] as const;

describe('the observation', () => {
  it('holds the terms in the order of the manifest', () => {
    const observer = new Observer({ terms: names.map((name) => term({ name })), history: 1 });
    expect([...observer.observe(input)]).toEqual([6, 5, 4, 3, 2, 1]);
  });

  it('is clip((raw − offset) · scale)', () => {
    const terms = [term({ scale: 2, offset: 0.5 }), term({ name: 'v', scale: 10, clip: [-3, 3] })];
    const observer = new Observer({ terms, history: 1 });
    expect([...observer.observe(input)]).toEqual([1, 3]);
    expect([...observer.observe({ ...input, v: -9 })]).toEqual([1, -3]);
  });

  it('does not make a number of NaN', () => {
    const observer = new Observer({ terms: [term({ clip: [-1, 1] })], history: 1 });
    expect(observer.observe({ ...input, x: Number.NaN })[0]).toBeNaN();
  });

  it('keeps a history, oldest first, and starts it with the first', () => {
    const observer = new Observer({ terms: [term({}), term({ name: 'v' })], history: 3 });
    const at = (x: number) => [...observer.observe({ ...input, x, v: 10 * x })];
    expect(at(1)).toEqual([1, 10, 1, 10, 1, 10]);
    expect(at(2)).toEqual([1, 10, 1, 10, 2, 20]);
    expect(at(3)).toEqual([1, 10, 2, 20, 3, 30]);
    expect(at(4)).toEqual([2, 20, 3, 30, 4, 40]);
    observer.reset();
    expect(at(5)).toEqual([5, 50, 5, 50, 5, 50]);
  });

  it('is the same array every time', () => {
    const observer = new Observer({ terms: [term({})], history: 2 });
    expect(observer.observe(input)).toBe(observer.observe(input));
  });
});

describe('the range of the data', () => {
  const observer = new Observer({
    terms: [term({ range: [-1, 2], scale: 100, clip: [-1, 1] }), term({ name: 'v' })],
    history: 2,
  });

  it('is that of the raw value, its ends included, whatever scale and clip make of it', () => {
    for (const [x, out] of [
      [-1, false],
      [2, false],
      [2.001, true],
      [-1.001, true],
      [Number.NaN, true],
      [0, false],
    ] as const) {
      observer.observe({ ...input, x, v: 1e9 });
      expect(observer.outOfRange).toBe(out);
    }
  });

  it('is not asked for where the manifest gives none', () => {
    const any = new Observer({ terms: [term({})], history: 1 });
    any.observe({ ...input, x: 1e300 });
    expect(any.outOfRange).toBe(false);
  });
});
