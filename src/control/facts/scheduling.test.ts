import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { schedulingInForce } from './scheduling.ts';

vi.mock('node:fs', () => ({ readFileSync: vi.fn() }));
afterEach(() => vi.resetAllMocks());

/** A line of /proc/self/stat as proc(5) describes it: field 40 the real-time priority, 41 the policy. */
function stat(program: string, priority: number, policy: number): string {
  const fields = Array.from({ length: 50 }, (_, index) => String(1000 + index));
  fields[40 - 3] = String(priority);
  fields[41 - 3] = String(policy);
  return `4711 (${program}) ${fields.join(' ')}\n`;
}

describe('the scheduling in force', () => {
  it.each([
    ['node', 0, 0, 'SCHED_OTHER'],
    ['node', 50, 1, 'SCHED_FIFO'],
    ['MainThread', 7, 2, 'SCHED_RR'],
    ['a program) R 1 2', 50, 1, 'SCHED_FIFO'],
    ['node', 0, 6, 'SCHED_DEADLINE'],
    ['node', 0, 42, 'unknown'],
  ])('is read behind the program name "%s"', (program, priority, number, policy) => {
    vi.mocked(readFileSync).mockReturnValue(stat(program, priority, number));
    expect(schedulingInForce()).toEqual({ policy, priority });
  });

  it('is unknown where there is no /proc', () => {
    vi.mocked(readFileSync).mockImplementation(() => {
      throw new Error('ENOENT');
    });
    expect(schedulingInForce()).toEqual({ policy: 'unknown', priority: 0 });
  });
});
