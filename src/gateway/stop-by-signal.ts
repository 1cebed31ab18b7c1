import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * For when control's socket is dead: its process may live, and stops the robot on SIGUSR2.
 * @returns the process that was told; `undefined` when there is none, or it is another user's
 */
export function stopBySignal(runtimeDirectory: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(runtimeDirectory, 'control.pid'), 'utf8'));
    // The number may have been given to another process since.
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    if (!words.includes('control')) return undefined;
    process.kill(pid, 'SIGUSR2');
    return pid;
  } catch {
    return undefined;
  }
}
