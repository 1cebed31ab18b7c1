import type { Command } from 'commander';
import { Gateway } from '../gateway/gateway.ts';
import { findConfig, revision, withConfig } from './context.ts';
import { runProcess } from './process.ts';

export function registerGateway(program: Command): void {
  withConfig(program.command('gateway'))
    .description('the gateway process alone: recorder, MQTT (`run` starts and supervises it)')
    .action(async (options: { config?: string }) => {
      const config = findConfig(options);
      await runProcess(config.logLevel, (log, manager) => new Gateway(config, log, revision, manager));
    });
}
