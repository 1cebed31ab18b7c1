import { once } from 'node:events';
import type { Command } from 'commander';
import { drawScreen, oneLine } from './live-view.ts';
import { say } from './output.ts';
import { connectToRobot, type RobotOptions, withRobot } from './robot-client.ts';
import { describeStatus } from './status.ts';

/** Refresh on a terminal, and of the lines where there is none [ms]. */
const SCREEN_INTERVAL = 250;
const LINE_INTERVAL = 1000;

export function registerWatch(program: Command): void {
  withRobot(program.command('watch'))
    .description('a live view of a robot, locally or over a broker; narrow enough for a phone')
    .action(async (options: RobotOptions) => {
      const client = await connectToRobot(options);
      let watching = true;
      void Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]).then(() => {
        watching = false;
      });
      try {
        while (watching) {
          const status = await client.status();
          if (process.stdout.isTTY) drawScreen([...describeStatus(status), '', 'Ctrl-C ends this view, not the robot']);
          else say(oneLine(status));
          const interval = process.stdout.isTTY ? SCREEN_INTERVAL : LINE_INTERVAL;
          await new Promise((resolve) => setTimeout(resolve, interval));
        }
      } finally {
        client.close();
      }
    });
}
