import { describe, expect, it } from 'vitest';
import { ChunkMap } from '../../messages/bulk/chunk-map.ts';
import { Sending } from './sending.ts';
import { TokenBucket } from './token-bucket.ts';

const mapOf = (length: number, ...there: number[]) => {
  const map = new ChunkMap(length);
  for (const n of there) map.set(n);
  return map;
};

/** Sends and has the broker take all that goes now. */
function sendAll(sending: Sending): number[] {
  const sent: number[] = [];
  for (let n = sending.next(); n !== undefined; n = sending.next()) {
    sending.sent(n);
    sending.settled(n, true);
    sent.push(n);
  }
  return sent;
}

describe('chunks', () => {
  it("go at most 16 ahead of the trainer's word, and never what it has", () => {
    const sending = new Sending(40);
    sending.claimed(mapOf(40, 0, 2));
    expect(sendAll(sending)).toEqual([1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]);
    sending.claimed(mapOf(40, 0, 1, 2, 3));
    expect(sendAll(sending)).toEqual([18, 19]);
  });

  it('go again when a later one came, or when the trainer says the same twice; not before', () => {
    const sending = new Sending(4);
    sending.claimed(mapOf(4));
    expect(sendAll(sending)).toEqual([0, 1, 2, 3]);
    sending.claimed(mapOf(4, 0, 2));
    expect(sendAll(sending)).toEqual([1]);
    sending.claimed(mapOf(4, 0, 2, 3));
    expect(sendAll(sending)).toEqual([]);
    sending.claimed(mapOf(4, 0, 2, 3));
    expect(sendAll(sending)).toEqual([1]);
  });

  it('go again when the broker did not take them', () => {
    const sending = new Sending(2);
    sending.claimed(mapOf(2));
    sending.sent(0);
    expect(sending.next()).toBe(1);
    sending.settled(0, false);
    expect(sending.next()).toBe(0);
  });
});

it('a token bucket lets its rate through, whatever the size', () => {
  let now = 0;
  const bucket = new TokenBucket(100, () => now);
  let taken = 0;
  while (now < 100_000) {
    const wait = bucket.take(131_072);
    if (wait === 0) taken += 131_072;
    now += wait;
  }
  expect(taken / 100_000).toBeGreaterThan(95);
  expect(taken / 100_000).toBeLessThan(105);
});
