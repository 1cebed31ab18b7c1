import type { Command } from 'commander';

export interface TrainerOptions {
  config?: string;
  broker?: string;
  trainer?: string;
  json?: boolean;
}

const HELP = `
The configuration is described in docs/trainer-configuration.md, and how to run a trainer in docs/trainer.md.

Examples:
  h2o-edge trainer --config trainer.yaml
  h2o-edge trainer status --config trainer.yaml
  h2o-edge trainer train standing-still --broker mqtt://192.168.1.2 --trainer trainer-1`;

export function registerTrainer(program: Command): void {
  const trainer = program
    .command('trainer')
    .description('the off-board service: takes data from robots, trains, judges, signs and offers policies')
    .option('-c, --config <file>', 'configuration of the trainer (default: ./trainer.yaml)')
    .addHelpText('after', HELP)
    .action(async (options: TrainerOptions) => {
      // Only here: nothing that learns is installed on a robot.
      const { runTrainer } = await import('./trainer/run.ts');
      await runTrainer(options);
    });

  const toRunning = (name: string) =>
    trainer
      .command(name)
      .option('--broker <url>', 'with --trainer: in place of what the configuration says, without certificates')
      .option('--trainer <id>', 'with --broker: which trainer')
      .option('--json', 'print one JSON object as the last line');
  const order = async (command: Command, words: object) => {
    const { giveOrder } = await import('./trainer/client.ts');
    await giveOrder(command.optsWithGlobals<TrainerOptions>(), words);
  };

  toRunning('train')
    .description('train a task now, with the data that there are')
    .argument('<task>', 'standing-still or moving-straight')
    .action((task: string, _: object, command: Command) => order(command, { do: 'train', task }));
  toRunning('cancel')
    .description('end the job of a task, or take it out of the queue')
    .argument('<task>', 'standing-still or moving-straight')
    .action((task: string, _: object, command: Command) => order(command, { do: 'cancel', task }));
  toRunning('offer')
    .description('offer a policy that passed the gate once more, or to further robots')
    .argument('<policy>', 'its id')
    .option('--policy-version <n>', 'default the newest', Number)
    .option('--robots <name...>', 'default as configured')
    .action((policy: string, options: { policyVersion?: number; robots?: string[] }, command: Command) =>
      order(command, {
        do: 'offer',
        policy,
        ...(options.policyVersion !== undefined && { version: options.policyVersion }),
        ...(options.robots && { robots: options.robots }),
      }),
    );
  toRunning('status')
    .description('what a trainer does, has, and offers, and how its last job ended')
    .action(async (_: object, command: Command) => {
      const { showStatus } = await import('./trainer/client.ts');
      await showStatus(command.optsWithGlobals<TrainerOptions>());
    });
}
