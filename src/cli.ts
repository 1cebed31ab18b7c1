import { Command } from 'commander';
import { revision } from './commands/context.ts';
import { registerControl } from './commands/control.ts';
import { registerDemo } from './commands/demo/demo.ts';
import { registerInit } from './commands/init.ts';
import { registerOrders } from './commands/orders.ts';
import { complainAbout } from './commands/output.ts';
import { registerPolicy } from './commands/policy.ts';
import { registerRobotSim } from './commands/robot-sim.ts';
import { registerRun } from './commands/run.ts';
import { registerStatus } from './commands/status.ts';

const program = new Command('h2o-edge')
  .description('edge controller for balancing robots')
  .version(revision)
  .showHelpAfterError('(see --help)');

registerInit(program);
registerRun(program);
registerControl(program);
registerOrders(program);
registerStatus(program);
registerPolicy(program);
registerDemo(program);
registerRobotSim(program);

try {
  await program.parseAsync();
} catch (error) {
  complainAbout(error);
  process.exitCode = 1;
}
