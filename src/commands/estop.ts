import type { Command } from 'commander';
import { EdgeError } from '../errors.ts';
import { stopBySignal } from '../gateway/stop-by-signal.ts';
import { findConfig } from './context.ts';
import { say, sayJson } from './output.ts';
import { connectToRobot, type RobotOptions, speaksOverBroker, withRobot } from './robot-client.ts';

interface EstopOptions extends RobotOptions {
  json?: boolean;
}

export function registerEstop(program: Command): void {
  withRobot(program.command('estop'))
    .description('stop the robot: torque off at once, latched. It falls. Anyone may do this')
    .option('--json', 'print one JSON object as the last line')
    .action(estop);
}

async function estop(options: EstopOptions): Promise<void> {
  const client = await connectToRobot(options).catch((error: unknown) => trySignal(options, error));
  try {
    const began = performance.now();
    const stagesMs: Record<string, number> = {};
    const { stages, onDisk } = await client.estop('h2o-edge estop', (stage) => {
      stagesMs[stage] = Math.round((performance.now() - began) * 10) / 10;
      if (!options.json) say(`${stage} after ${stagesMs[stage]} ms`);
    });
    const confirmed = stages.includes('confirmed');
    if (options.json) sayJson({ ok: confirmed, stagesMs, confirmed, onDisk });
    if (!confirmed) {
      const remedy = 'cut the power of the motors now';
      throw new EdgeError('noAnswer', 'the motor controller has NOT confirmed the stop', remedy);
    }
    if (!onDisk && !options.json) say('the latch is not on disk (yet); it is in force as long as control runs');
  } finally {
    client.close();
  }
}

/**
 * Control's socket is dead, but its process may live: it stops the robot on SIGUSR2.
 * @throws EdgeError always: a stop that nobody confirmed is no success
 */
function trySignal(options: EstopOptions, cause: unknown): never {
  const pid = speaksOverBroker(options) ? undefined : stopBySignal(findConfig(options).runtimeDirectory);
  if (pid === undefined) throw cause;
  throw new EdgeError(
    'noAnswer',
    `control's socket is dead; process ${pid} was told to stop by SIGUSR2, and has NOT confirmed`,
    'look at the robot; if it is not down, cut the power of its motors now',
  );
}
