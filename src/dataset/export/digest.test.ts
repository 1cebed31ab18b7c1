import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyTransitions } from '../transitions.testing.ts';
import { rowsOf, type Transitions } from '../transitions.ts';
import { Digest } from './digest.ts';

const digestOf = (...batches: Transitions[]): Digest => {
  const digest = new Digest();
  for (const batch of batches) digest.add(batch);
  return digest;
};

describe('the digest of a dataset', () => {
  it('does not depend on where batches end', () => {
    fc.assert(
      fc.property(anyTransitions, fc.nat(), (all, cut) => {
        const at = cut % (all.count + 1);
        const parts = digestOf(rowsOf(all, 0, at), rowsOf(all, at, all.count));
        expect(digestOf(all).differenceTo(parts)).toBeUndefined();
      }),
    );
  });

  it('finds any bit that is another, and says in which array', () => {
    const names = ['observations', 'actions', 'rewards', 'nextObservations', 'terminals', 'timeouts'] as const;
    fc.assert(
      fc.property(anyTransitions, fc.constantFrom(...names), fc.nat(), (all, name, where) => {
        const before = digestOf(all);
        const { buffer, byteOffset, byteLength } = all[name];
        const bytes = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
        const at = where % byteLength;
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (where % 8));
        expect(before.differenceTo(digestOf(all))).toContain(name);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (where % 8));
        expect(before.differenceTo(digestOf(rowsOf(all, 0, all.count - 1)))).toMatch(/rows instead of/);
      }),
    );
  });
});
