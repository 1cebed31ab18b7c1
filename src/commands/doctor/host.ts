import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Finding, fail, pass, warn } from './finding.ts';

/** Where the kernel says how it is; elsewhere in tests. */
export interface Kernel {
  readonly proc: string;
  readonly sys: string;
}
export const KERNEL: Kernel = { proc: '/proc', sys: '/sys' };

/** What a file of the kernel says; undefined if it is not there. */
export function said(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

const LEAST_NODE = [20, 19] as const;

export function versionFinding(version: string, revision: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const found = `h2o-edge ${revision} on Node ${version}`;
  const enough = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
  return enough ? pass('versions', found) : fail('versions', found, `install Node ${LEAST_NODE.join('.')} or later`);
}

/** Whether this user could give a process real-time priority. Under systemd the unit does, whoever the user is. */
export function privilegeFinding(priority: number, run = spawnSync): Finding {
  if (priority === 0) {
    return warn('real-time-privilege', 'real-time priority is not asked for', 'set realTimePriority: 50');
  }
  const { status, error } = run('chrt', ['-f', String(priority), 'true']);
  if (status === 0) return pass('real-time-privilege', `SCHED_FIFO ${priority} may be had here`);
  return warn(
    'real-time-privilege',
    error ? `chrt: ${error.message}` : `this user may not have SCHED_FIFO ${priority}`,
    `use h2o-control.service, or: echo "$USER - rtprio ${priority}" | sudo tee /etc/security/limits.d/h2o-edge.conf`,
  );
}

export function governorFinding({ sys }: Kernel): Finding {
  const folder = join(sys, 'devices/system/cpu');
  const processors = existsSync(folder) ? readdirSync(folder).filter((name) => /^cpu\d+$/.test(name)) : [];
  const governors = new Set(
    processors.map((name) => said(join(folder, name, 'cpufreq/scaling_governor'))).filter((one) => one !== undefined),
  );
  if (governors.size === 0) return pass('governor', 'the processor has no frequency to govern');
  const found = `frequency governor ${[...governors].join(', ')}`;
  if (governors.size === 1 && governors.has('performance')) return pass('governor', found);
  return warn('governor', found, 'echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor');
}

export function isolationFinding({ sys }: Kernel): Finding {
  const isolated = said(join(sys, 'devices/system/cpu/isolated')) ?? '';
  if (isolated !== '') return pass('isolated-processors', `processors ${isolated} are kept free`);
  const online = said(join(sys, 'devices/system/cpu/online')) ?? '0';
  if (online === '0') return warn('isolated-processors', 'there is one processor', 'use a computer with two or more');
  const last = online.split(/[-,]/).at(-1);
  return warn(
    'isolated-processors',
    'no processor is kept free for control',
    `add isolcpus=${last} to the kernel's command line, and CPUAffinity=${last} in a drop-in of h2o-control.service`,
  );
}

/** adjtimex(2) keeps who disciplines the clock; timedatectl asks it. */
export function clockFinding(now: number, run = spawnSync): Finding {
  const year = new Date(now).getUTCFullYear();
  const remedy = 'sudo apt-get install chrony; in the meantime: sudo date -s "YYYY-MM-DD HH:MM:SS"';
  // Before the first release of this program: certificates and the expiry of policies would be judged by it.
  if (year < 2026) return fail('clock', `this computer believes that it is ${year}`, remedy);
  const { status, stdout } = run('timedatectl', ['show', '--property=NTPSynchronized', '--value'], {
    encoding: 'utf8',
  });
  const synchronised = existsSync('/run/systemd/timesync/synchronized') || (status === 0 && stdout.trim() === 'yes');
  return synchronised
    ? pass('clock', 'the wall clock is synchronised')
    : warn('clock', 'nothing is known to synchronise the wall clock', remedy);
}
