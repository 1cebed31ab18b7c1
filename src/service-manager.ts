import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';

/**
 * What a service manager is told, one datagram a line: sd_notify(3). Node opens no datagram socket of the unix kind, and
 * `systemd-notify` once a message would be a fork once a message; perl is on every Debian (perl-base is essential) and in
 * the memory before anything moves. It ends with its stdin, and so with us.
 */
const NOTIFIER = `
use strict; use warnings; use Socket;
my $to = $ENV{NOTIFY_SOCKET}; $to =~ s/^@/\\0/;
socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or die "notify: $!\\n";
while (my $line = <STDIN>) {
  chomp $line;
  $line =~ s/\\t/\\n/g;
  defined send($socket, $line, 0, sockaddr_un($to)) or warn "notify: $!\\n";
}
`;

/** A helper that does not read must not be the end of our memory [bytes]. */
const MOST_WAITING = 4096;

export interface ServiceManagerOptions {
  /** `NOTIFY_SOCKET`, and where there is a watchdog `WATCHDOG_USEC` and `WATCHDOG_PID`; sd_watchdog_enabled(3) */
  readonly environment: NodeJS.ProcessEnv;
  readonly pid: number;
  /** the helper is gone, or cannot be started */
  readonly onProblem: (problem: string) => void;
}

/**
 * The service manager, if one started this process and wants to hear of it; otherwise nothing here does anything. Messages
 * go through one helper that lives as long as this process: telling something is a write to a pipe, never a fork, and one
 * that the pipe does not take is left out.
 */
export class ServiceManager {
  readonly counters = {
    /** messages that were handed over */
    told: 0,
    /** messages that were left out: no helper, or it does not read */
    leftOut: 0,
    /** helpers that ended although they should not */
    helpersLost: 0,
  };
  readonly #options: ServiceManagerOptions;
  readonly #wanted: boolean;
  #helper: ChildProcess | undefined;
  #stopped = false;

  constructor(options: ServiceManagerOptions) {
    this.#options = options;
    const { NOTIFY_SOCKET: socket = '' } = options.environment;
    // Others (a virtual machine's vsock) are not for a robot's processes.
    this.#wanted = /^[/@]./.test(socket);
  }

  /** The service manager's patience [ms]; `undefined` if it has no watchdog for this process. */
  get watchdog(): number | undefined {
    const { WATCHDOG_USEC: period = '', WATCHDOG_PID: pid } = this.#options.environment;
    if (!this.#wanted || (pid !== undefined && pid !== String(this.#options.pid))) return undefined;
    const milliseconds = Number(period) / 1000;
    return milliseconds > 0 && Number.isFinite(milliseconds) ? milliseconds : undefined;
  }

  /** The helper's process number; `undefined` while there is none. */
  get helper(): number | undefined {
    return this.#helper?.pid;
  }

  /** Starts the helper, if there is none. It forks: never while a robot moves. */
  start(): void {
    if (!this.#wanted || this.#stopped || this.#helper) return;
    const { environment, onProblem } = this.#options;
    // With the priority of its parent: a feeding that waits for the processor would say of a robot that stands that it hangs.
    const helper = spawn('perl', ['-e', NOTIFIER], {
      stdio: ['pipe', 'ignore', 'inherit'],
      env: { PATH: environment.PATH, NOTIFY_SOCKET: environment.NOTIFY_SOCKET },
    });
    this.#helper = helper;
    const lost = (problem: string) => {
      if (this.#helper !== helper) return;
      this.#helper = undefined;
      if (this.#stopped) return;
      this.counters.helpersLost += 1;
      onProblem(`nothing can be told to the service manager: ${problem}`);
    };
    helper.stdin.on('error', () => {});
    helper.once('error', (error) => lost(error.message));
    helper.once('exit', (code, signal) => lost(`the helper ended (${signal ?? `code ${code}`})`));
  }

  /** @param fields as in sd_notify(3), `NAME=value` each; they go in one datagram */
  tell(...fields: readonly string[]): boolean {
    if (!this.#wanted) return false;
    const stdin: Writable | null | undefined = this.#helper?.stdin;
    if (!stdin?.writable || stdin.writableLength > MOST_WAITING) {
      this.counters.leftOut += 1;
      return false;
    }
    stdin.write(`${fields.map((field) => field.replace(/[\t\n]/g, ' ')).join('\t')}\n`);
    this.counters.told += 1;
    return true;
  }

  /** The helper ends when it has passed on what it was given. */
  stop(): void {
    this.#stopped = true;
    this.#helper?.stdin?.end();
  }
}
