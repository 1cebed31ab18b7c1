import { Command } from 'commander';
import { registerAudit } from './commands/audit.ts';
import { revision } from './commands/context.ts';
import { registerControl } from './commands/control.ts';
import { registerDataset } from './commands/dataset.ts';
import { registerDemo } from './commands/demo/demo.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerEstop } from './commands/estop.ts';
import { registerFailsafe } from './commands/failsafe.ts';
import { registerGap } from './commands/gap.ts';
import { registerGateway } from './commands/gateway.ts';
import { registerInit } from './commands/init.ts';
import { registerKeys } from './commands/keys.ts';
import { registerOrders } from './commands/orders.ts';
import { complainAbout } from './commands/output.ts';
import { registerPolicy } from './commands/policy.ts';
import { registerReplay } from './commands/replay.ts';
import { registerRobotSim } from './commands/robot-sim.ts';
import { registerRun } from './commands/run.ts';
import { registerStatus } from './commands/status.ts';
import { registerWatch } from './commands/watch.ts';

const program = new Command('h2o-edge')
  .description('edge controller for balancing robots')
  .version(revision)
  .showHelpAfterError('(see --help)');

registerInit(program);
registerRun(program);
registerControl(program);
registerGateway(program);
registerEstop(program);
registerOrders(program);
registerStatus(program);
registerWatch(program);
registerFailsafe(program);
registerDoctor(program);
registerAudit(program);
registerKeys(program);
registerDataset(program);
registerReplay(program);
registerPolicy(program);
registerDemo(program);
registerRobotSim(program);
registerGap(program);

try {
  await program.parseAsync();
} catch (error) {
  complainAbout(error);
  process.exitCode = 1;
}
