import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DurableFiles } from '../durable-files.ts';

const NAME = 'child.json';

/** Notes which process works in a folder, so that a trainer that comes back finds it. */
export function noteChild(files: DurableFiles, folder: string, pid: number): void {
  files.write(join(folder, NAME), JSON.stringify({ pid, start: startOf(pid) ?? null }));
}

/**
 * Ends the process that worked in a folder for a trainer that is gone, if it still does: it notices by itself, but not in
 * the middle of an evaluation. Two in one run folder would spoil it.
 */
export async function endOrphan(files: DurableFiles, folder: string): Promise<void> {
  const text = files.read(join(folder, NAME));
  if (text === undefined) return;
  const { pid, start } = JSON.parse(text) as { pid: number; start: string | null };
  // The number alone may be somebody else's by now.
  const alive = () => start !== null && startOf(pid) === start;
  if (alive()) process.kill(pid, 'SIGKILL');
  while (alive()) await delay(20);
}

/** When a process started (proc(5), /proc/PID/stat, field 22); `undefined` when it has ended. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
