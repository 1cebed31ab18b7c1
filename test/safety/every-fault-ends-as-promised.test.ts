import { beforeAll, describe, expect, it } from 'vitest';
import { noMosquitto } from './broker.ts';
import type { Fault } from './fault.ts';
import { FAULT_GROUPS, FAULTS } from './faults.ts';
import { brokenPromises } from './promise.ts';
import { fewCasesOf } from './report.ts';
import { type Run, runAll } from './run-all.ts';

/** What needs a program that this machine has not, is left to one that has it. */
const isPossible = ({ broker }: Fault) => !(broker && noMosquitto);

const runs: Run[] = [];

beforeAll(async () => {
  // Each fault in one of the tasks; `npm run safety-report` puts all of them to the robot in both, five times over.
  runs.push(...(await runAll(fewCasesOf(FAULTS.filter(isPossible)))));
}, 900_000);

describe.each(Object.entries(FAULT_GROUPS))('%s', (_, group) => {
  it.each(group.filter(isPossible))('$says', (fault) => {
    const run = runs.find((one) => one.fault === fault);
    expect(run?.outcome.commands).toBeGreaterThan(100);
    expect(run && brokenPromises(fault.promised[run.task], run.outcome)).toEqual([]);
  });
});
