import type { Command } from 'commander';
import { pino } from 'pino';
import { Control } from '../control/control.ts';
import { findConfig, revision, withConfig } from './context.ts';
import { complainAbout } from './output.ts';

export function registerControl(program: Command): void {
  withConfig(program.command('control'))
    .description('the control process alone: serial port, policy, guard (`run` starts and supervises it)')
    .action(async (options: { config?: string }) => {
      const config = findConfig(options);
      // Asynchronous, and with a bound: a log that nobody reads must neither block a tick nor fill the memory.
      const destination = pino.destination({ dest: 2, sync: false, maxLength: 1 << 20 });
      const log = pino({ level: config.logLevel, base: null }, destination);
      const control = new Control(config, log);
      const ended = new Promise<void>((resolve) => {
        process.once('SIGTERM', resolve);
        process.once('SIGINT', resolve);
        // A terminal that hangs up must not drop the robot.
        process.once('SIGHUP', resolve);
      });
      try {
        await control.start(revision);
        await ended;
      } catch (error) {
        complainAbout(error);
        process.exitCode = 1;
      }
      await control.stop();
      destination.flushSync();
      process.exit();
    });
}
