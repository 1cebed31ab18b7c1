import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameDecoder, FrameEncoder } from '../../protocol/frame.ts';
import { Random } from '../../random.ts';
import { LINK_FAULTS, LinkFault, type LinkFaultOptions } from './link-fault.ts';

/** So many stops: a small frame whose number a receiver does not check, so that what comes through can be counted. */
function framesOf(count: number): Uint8Array[] {
  const encoder = new FrameEncoder();
  return Array.from({ length: count }, (_, index) => encoder.encode({ kind: 'estop', reason: index }, 0));
}

/** Sends frames 5 ms apart through a disturbed line. @returns reasons of those that a receiver accepts, in order */
function through(
  fault: Omit<LinkFaultOptions, 'random'>,
  frames: Uint8Array[],
  seed = 1,
  cut = (bytes: Uint8Array) => [bytes],
) {
  const decoder = new FrameDecoder({ from: 'host' });
  const reasons: number[] = [];
  const link = new LinkFault((bytes) => {
    for (const { message } of decoder.push(bytes)) if (message.kind === 'estop') reasons.push(message.reason);
  });
  const end = link.break({ ...fault, random: new Random(seed) });
  frames.forEach((frame, index) => {
    link.tick(index * 5000);
    for (const piece of cut(frame)) link.send(piece, index * 5000);
  });
  const during = [...reasons];
  end();
  return { during, reasons, counters: decoder.counters };
}

const all = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('a disturbed line', () => {
  it('does the same to the same frames, however their bytes are cut', () => {
    const kinds = fc.constantFrom(...LINK_FAULTS);
    fc.assert(
      fc.property(kinds, fc.integer(), fc.integer({ min: 1, max: 20 }), (kind, seed, size) => {
        const cut = (bytes: Uint8Array) =>
          Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
            bytes.subarray(index * size, (index + 1) * size),
          );
        const fault = { kind, rate: kind === 'flip' ? 0.01 : 0.3 };
        expect(through(fault, framesOf(40), seed, cut).reasons).toEqual(through(fault, framesOf(40), seed).reasons);
      }),
      { numRuns: 60 },
    );
  });

  it('drops exactly the next frame when told so', () => {
    expect(through({ kind: 'drop', frames: 1 }, framesOf(5)).reasons).toEqual([1, 2, 3, 4]);
  });

  it('drops about as many as it is told, and makes up none', () => {
    const { reasons } = through({ kind: 'drop', rate: 0.3 }, framesOf(255), 5);
    expect(reasons.length).toBeGreaterThan(140);
    expect(reasons.length).toBeLessThan(215);
    expect(reasons).toEqual([...reasons].sort((a, b) => a - b));
    expect(new Set(reasons).size).toBe(reasons.length);
  });

  it('duplicates', () => {
    expect(through({ kind: 'duplicate' }, framesOf(3)).reasons).toEqual([0, 0, 1, 1, 2, 2]);
  });

  it('changes the places of two frames, and loses none at its end', () => {
    expect(through({ kind: 'reorder' }, framesOf(5)).during).toEqual([1, 0, 3, 2]);
    expect(through({ kind: 'reorder' }, framesOf(5)).reasons).toEqual([1, 0, 3, 2, 4]);
    const some = through({ kind: 'reorder', rate: 0.3 }, framesOf(200), 9).reasons;
    expect([...some].sort((a, b) => a - b)).toEqual(all(200));
    expect(some).not.toEqual(all(200));
  });

  it('delays in MCU time, and keeps the order', () => {
    const { during, reasons } = through({ kind: 'delay', amount: 20 }, framesOf(10));
    expect(during).toEqual(all(6));
    expect(reasons).toEqual(all(10));
  });

  it('flips bits: a receiver refuses what was hit, counts it, and believes nothing false', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { reasons, counters } = through({ kind: 'flip', rate: 0.002 }, framesOf(255), seed);
        expect(reasons).toEqual([...reasons].sort((a, b) => a - b));
        expect(new Set(reasons).size).toBe(reasons.length);
        const { corrupted, malformed, truncated, oversized } = counters;
        if (reasons.length < 255) expect(corrupted + malformed + truncated + oversized).toBeGreaterThan(0);
      }),
      { numRuns: 30 },
    );
  });

  it('is a straight line again when the fault is over', () => {
    const passed: Uint8Array[] = [];
    const link = new LinkFault((bytes) => passed.push(bytes));
    const end = link.break({ kind: 'drop', random: new Random(1) });
    end();
    const bytes = Uint8Array.of(1, 2, 3);
    link.send(bytes, 0);
    expect(passed).toEqual([bytes]);
  });

  it('an ended fault does not end the one that took its place', () => {
    const link = new LinkFault(() => {});
    const end = link.break({ kind: 'drop', random: new Random(1) });
    link.break({ kind: 'delay', random: new Random(1) });
    end();
    expect(link.kind).toBe('delay');
  });
});
