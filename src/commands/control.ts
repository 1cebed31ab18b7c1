import type { Command } from 'commander';
import { Control } from '../control/control.ts';
import { findConfig, revision, withConfig } from './context.ts';
import { runProcess } from './process.ts';

export function registerControl(program: Command): void {
  withConfig(program.command('control'))
    .description('the control process alone: serial port, policy, guard (`run` starts and supervises it)')
    .action(async (options: { config?: string }) => {
      const config = findConfig(options);
      await runProcess(config.logLevel, (log, manager) => new Control(config, log, revision, manager));
    });
}
