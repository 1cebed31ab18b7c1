import { describe, expect, it } from 'vitest';
import { activeConditions, CONDITION_IDS, conditionBit, FAILSAFE_TABLE, MOST_CONDITIONS } from './failsafe-table.ts';

describe('the failsafe table', () => {
  it('fits into the masks that name its rows', () => {
    expect(FAILSAFE_TABLE.length).toBeLessThanOrEqual(MOST_CONDITIONS);
  });

  it('has every id once, and each says what it is and what to do', () => {
    expect(new Set(CONDITION_IDS).size).toBe(FAILSAFE_TABLE.length);
    for (const row of FAILSAFE_TABLE) {
      expect(row.id).toMatch(/^[a-z]+(-[a-z]+)*$/);
      for (const text of [row.says, row.remedy, row.source]) expect(text).not.toBe('');
      expect(row.debounce).toBeGreaterThan(0);
    }
  });

  it('gives each row a bit of its own, up to the last', () => {
    for (const id of CONDITION_IDS) expect(activeConditions(conditionBit(id)).map((row) => row.id)).toEqual([id]);
    const all = CONDITION_IDS.reduce((mask, id) => mask | conditionBit(id), 0n);
    expect(activeConditions(all).map((row) => row.id)).toEqual(CONDITION_IDS);
    expect(all).toBe((1n << BigInt(FAILSAFE_TABLE.length)) - 1n);
  });

  it('does not stumble over bits of a newer table', () => {
    expect(activeConditions((1n << 63n) | conditionBit('estop')).map((row) => row.id)).toEqual(['estop']);
  });
});
