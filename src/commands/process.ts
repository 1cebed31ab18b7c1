import { type Logger, pino } from 'pino';
import { ServiceManager } from '../service-manager.ts';
import { isJournal, journalStream } from './journal.ts';
import { complainAbout } from './output.ts';

const STDERR = 2;

/** One of the robot's two processes. */
interface LongRunning {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Runs a process until it is told to end, and ends it in order, also when it could not start. */
export async function runProcess(
  logLevel: string,
  make: (log: Logger, manager: ServiceManager) => LongRunning,
): Promise<void> {
  // Asynchronous, and with a bound: a log that nobody reads must neither block a tick nor fill the memory.
  const destination = pino.destination({ dest: STDERR, sync: false, maxLength: 1 << 20 });
  const log = isJournal(STDERR, process.env.JOURNAL_STREAM)
    ? pino({ level: logLevel, base: null, timestamp: false }, journalStream(destination))
    : pino({ level: logLevel, base: null }, destination);
  const { pid, env: environment } = process;
  const manager = new ServiceManager({ environment, pid, onProblem: (problem) => log.error({ problem }, 'sd_notify') });
  const ended = new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
    // A terminal that hangs up must not drop the robot.
    process.once('SIGHUP', resolve);
  });
  const running = make(log, manager);
  try {
    await running.start();
    await ended;
  } catch (error) {
    complainAbout(error);
    process.exitCode = 1;
  }
  await running.stop();
  destination.flushSync();
  process.exit();
}
