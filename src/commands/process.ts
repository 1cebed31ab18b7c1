import { type Logger, pino } from 'pino';
import { complainAbout } from './output.ts';

/** One of the robot's two processes. */
interface LongRunning {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Runs a process until it is told to end, and ends it in order, also when it could not start. */
export async function runProcess(logLevel: string, make: (log: Logger) => LongRunning): Promise<void> {
  // Asynchronous, and with a bound: a log that nobody reads must neither block a tick nor fill the memory.
  const destination = pino.destination({ dest: 2, sync: false, maxLength: 1 << 20 });
  const log = pino({ level: logLevel, base: null }, destination);
  const ended = new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
    // A terminal that hangs up must not drop the robot.
    process.once('SIGHUP', resolve);
  });
  const running = make(log);
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
