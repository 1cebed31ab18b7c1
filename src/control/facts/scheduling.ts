import { readFileSync } from 'node:fs';

const POLICIES = ['SCHED_OTHER', 'SCHED_FIFO', 'SCHED_RR', 'SCHED_BATCH', '', 'SCHED_IDLE', 'SCHED_DEADLINE'];

/** The scheduling that this process's main thread really has, from the kernel: fields 40 and 41 of proc(5) stat. */
export function schedulingInForce(): { policy: string; priority: number } {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    // The second field is the program's name and may hold spaces and brackets; count from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { policy: POLICIES[Number(fields[38])] ?? 'unknown', priority: Number(fields[37]) };
  } catch {
    return { policy: 'unknown', priority: 0 };
  }
}
