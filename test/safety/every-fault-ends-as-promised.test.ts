import { beforeAll, describe, expect, it } from 'vitest';
import { taskNames } from '../../src/robot/tasks/tasks.ts';
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
  runs.push(...(await runAll(fewCasesOf(FAULTS.filter(isPossible)))));
}, 900_000);

describe.each(Object.entries(FAULT_GROUPS))('%s', (_, group) => {
  describe.each(group.filter(isPossible))('$says', (fault) => {
    it.each(taskNames)('%s', (task) => {
      const run = runs.find((one) => one.fault === fault && one.task === task);
      expect(run?.outcome.commands).toBeGreaterThan(100);
      expect(run && brokenPromises(fault.promised[task], run.outcome)).toEqual([]);
    });
  });
});
