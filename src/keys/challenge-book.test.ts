import { describe, expect, it } from 'vitest';
import { ChallengeBook } from './challenge-book.ts';

function book(options: { lifetimeMs?: number; capacity?: number } = {}) {
  let time = 1000;
  let count = 0;
  const challenges = new ChallengeBook({
    now: () => time,
    random: (bytes) => new Uint8Array(bytes).fill(count++),
    ...options,
  });
  return { challenges, wait: (ms: number) => (time += ms) };
}

describe('challenges', () => {
  it('can be redeemed once', () => {
    const { challenges } = book();
    const { challenge, expiresInMs } = challenges.issue();
    expect(challenge).toMatch(/^[\w-]{22}$/);
    expect(expiresInMs).toBe(10_000);
    expect(challenges.redeem(challenge)).toBe('ok');
    expect(challenges.redeem(challenge)).toBe('unknown-or-used');
  });

  it('expire, and are then used up as well', () => {
    const { challenges, wait } = book();
    const [first, second] = [challenges.issue(), challenges.issue()];
    wait(10_000);
    expect(challenges.redeem(first.challenge)).toBe('ok');
    wait(1);
    expect(challenges.redeem(second.challenge)).toBe('expired');
    expect(challenges.redeem(second.challenge)).toBe('unknown-or-used');
  });

  it('live shorter, never longer, when the signer says so', () => {
    const { challenges, wait } = book();
    const [first, second] = [challenges.issue(), challenges.issue()];
    wait(200);
    expect(challenges.redeem(first.challenge, 100)).toBe('expired');
    wait(10_000);
    expect(challenges.redeem(second.challenge, 1e9)).toBe('expired');
  });

  it('push the oldest out when there are too many', () => {
    const { challenges } = book({ capacity: 2 });
    const issued = [challenges.issue(), challenges.issue(), challenges.issue()];
    expect(issued.map(({ challenge }) => challenges.redeem(challenge))).toEqual(['unknown-or-used', 'ok', 'ok']);
  });
});
