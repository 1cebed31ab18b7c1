import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { familyOf, processStat, TestRobot, until } from './harness.ts';

/** Numbers of sched_setscheduler(2). */
const POLICIES: Readonly<Record<string, number>> = { SCHED_OTHER: 0, SCHED_FIFO: 1, SCHED_RR: 2 };

/** Scheduling policy of each thread of a process. */
const policiesOf = (pid: number): Set<number> => {
  const threads = readdirSync(`/proc/${pid}/task`);
  const stats = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'));
  return new Set(stats.map((stat) => Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38])));
};

const wordsOf = (pid: number): string[] => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
};

it('`run` asks for SCHED_FIFO for all threads of control and for none of the gateway, and the status says what is in force', async () => {
  const robot = await TestRobot.withoutControl({ config: { realTimePriority: 37 } });
  await robot.startControl('run');
  const { scheduling, pid } = await robot.control.status();
  const stat = processStat(pid) ?? [];
  // Fields 40 and 41 of proc(5) stat; the first that is kept here is the third.
  expect(scheduling.priority).toBe(Number(stat[37]));
  expect(POLICIES[scheduling.policy]).toBe(Number(stat[38]));
  const allowed = spawnSync('chrt', ['-f', '37', 'true']).status === 0;
  expect(scheduling).toEqual(allowed ? { policy: 'SCHED_FIFO', priority: 37 } : { policy: 'SCHED_OTHER', priority: 0 });

  // Those that read the port and collect the garbage, too.
  expect(policiesOf(pid)).toEqual(new Set([POLICIES[scheduling.policy]]));
  const supervisor = Number(stat[1]);
  const gateway = await until('the gateway runs', () => {
    return familyOf(supervisor).find((one) => wordsOf(one.pid).includes('gateway'));
  });
  for (const other of [supervisor, gateway.pid]) expect(policiesOf(other)).toEqual(new Set([POLICIES.SCHED_OTHER]));
});
