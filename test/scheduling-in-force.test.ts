import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { processStat, TestRobot } from './harness.ts';

/** Numbers of sched_setscheduler(2). */
const POLICIES: Readonly<Record<string, number>> = { SCHED_OTHER: 0, SCHED_FIFO: 1, SCHED_RR: 2 };

it('`run` asks for SCHED_FIFO, and the status says what is in force', async () => {
  const robot = await TestRobot.withoutControl({ config: { realTimePriority: 37 } });
  await robot.startControl('run');
  const { scheduling, pid } = await robot.control.status();
  const stat = processStat(pid) ?? [];
  // Fields 40 and 41 of proc(5) stat; the first that is kept here is the third.
  expect(scheduling.priority).toBe(Number(stat[37]));
  expect(POLICIES[scheduling.policy]).toBe(Number(stat[38]));
  const allowed = spawnSync('chrt', ['-f', '37', 'true']).status === 0;
  expect(scheduling).toEqual(allowed ? { policy: 'SCHED_FIFO', priority: 37 } : { policy: 'SCHED_OTHER', priority: 0 });
});
