import { Command } from 'commander';
import { revision } from './commands/context.ts';
import { complainAbout } from './commands/output.ts';

type Register = (program: Command) => void;

/** Where each command is. Only what is asked for is loaded: a stop does not wait for the modules of the others. */
const COMMANDS: Readonly<Record<string, () => Promise<Register>>> = {
  init: async () => (await import('./commands/init.ts')).registerInit,
  run: async () => (await import('./commands/run.ts')).registerRun,
  control: async () => (await import('./commands/control.ts')).registerControl,
  gateway: async () => (await import('./commands/gateway.ts')).registerGateway,
  estop: async () => (await import('./commands/estop.ts')).registerEstop,
  reset: async () => (await import('./commands/orders.ts')).registerOrders,
  mode: async () => (await import('./commands/orders.ts')).registerOrders,
  record: async () => (await import('./commands/orders.ts')).registerOrders,
  status: async () => (await import('./commands/status.ts')).registerStatus,
  watch: async () => (await import('./commands/watch.ts')).registerWatch,
  failsafe: async () => (await import('./commands/failsafe.ts')).registerFailsafe,
  doctor: async () => (await import('./commands/doctor.ts')).registerDoctor,
  config: async () => (await import('./commands/config.ts')).registerConfig,
  audit: async () => (await import('./commands/audit.ts')).registerAudit,
  keys: async () => (await import('./commands/keys.ts')).registerKeys,
  dataset: async () => (await import('./commands/dataset.ts')).registerDataset,
  replay: async () => (await import('./commands/replay.ts')).registerReplay,
  policy: async () => (await import('./commands/policy.ts')).registerPolicy,
  gap: async () => (await import('./commands/gap.ts')).registerGap,
  evaluate: async () => (await import('./commands/evaluate.ts')).registerEvaluate,
  train: async () => (await import('./commands/train.ts')).registerTrain,
  trainer: async () => (await import('./commands/trainer.ts')).registerTrainer,
  demo: async () => (await import('./commands/demo/demo.ts')).registerDemo,
  'robot-sim': async () => (await import('./commands/robot-sim.ts')).registerRobotSim,
  completion: async () => (await import('./commands/self-description.ts')).registerSelfDescription,
};

/** Commands that speak of all others. */
const WANT_ALL = ['completion', 'manual'];

const program = new Command('h2o-edge')
  .description('edge controller for balancing robots')
  .version(revision)
  .showHelpAfterError('(see --help)');

try {
  const asked = process.argv[2] ?? '';
  const one = Object.hasOwn(COMMANDS, asked) && !WANT_ALL.includes(asked) ? COMMANDS[asked] : undefined;
  // Help, and the hint at what a mistyped word may have meant, want all of them.
  const registers = await Promise.all((one ? [one] : Object.values(COMMANDS)).map((load) => load()));
  for (const register of new Set(registers)) register(program);
  await program.parseAsync();
} catch (error) {
  complainAbout(error);
  process.exitCode = 1;
}
