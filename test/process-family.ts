import { readdirSync, readFileSync } from 'node:fs';

/** A process by its number and the moment of its start, so that a number that was given again is not mistaken for it. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly started: string;
}

/** Fields of /proc/PID/stat behind the program's name; `undefined` when there is no such process, or only its remains. */
export function processStat(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // Remains whose threads have not all ended still hold their sockets and ports.
    return fields[0] === 'Z' && readdirSync(`/proc/${pid}/task`).length === 1 ? undefined : fields;
  } catch {
    return undefined;
  }
}

export const isAlive = ({ pid, started }: ProcessIdentity): boolean => processStat(pid)?.[19] === started;

/** A process and all below it. */
export function familyOf(pid: number): ProcessIdentity[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const fields = /^\d+$/.test(name) ? processStat(Number(name)) : undefined;
    if (fields) parents.set(Number(name), Number(fields[1]));
  }
  const family = [pid];
  for (const member of family) {
    for (const [child, parent] of parents) if (parent === member) family.push(child);
  }
  return family.flatMap((member) => {
    const started = processStat(member)?.[19];
    return started === undefined ? [] : [{ pid: member, started }];
  });
}

const EDGE_PROCESSES = ['record', 'robot-sim', 'control', 'gateway'];

/** Resident memory of the processes of a simulated robot below one, by the command that each runs [MB]. */
export function residentMegabytes(pid: number): Map<string, number> {
  const memory = new Map<string, number>();
  for (const member of familyOf(pid)) {
    try {
      const words = readFileSync(`/proc/${member.pid}/cmdline`, 'utf8').split('\0');
      const name = EDGE_PROCESSES.find((one) => words.slice(1, 3).includes(one));
      const kilobytes = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${member.pid}/status`, 'utf8'))?.[1]);
      if (name && Number.isFinite(kilobytes)) memory.set(name, Math.round(kilobytes / 102.4) / 10);
    } catch {
      // It has ended meanwhile.
    }
  }
  return memory;
}
