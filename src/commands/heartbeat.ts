import { randomBytes } from 'node:crypto';
import type { RobotClient } from './robot-client.ts';

/** Five a second, when the robot holds after one without [ms]. */
const INTERVAL = 200;

/** The operator's heartbeat of one moving mode. */
export class Heartbeat {
  /** to be named in the signed mode command */
  readonly session = randomBytes(12).toString('base64url');
  #counter = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param interval between two beats [ms] */
  start(client: RobotClient, interval = INTERVAL): void {
    this.stop();
    this.#timer = setInterval(() => this.beat(client), interval);
    this.beat(client);
  }

  beat(client: RobotClient): void {
    this.#counter += 1;
    client.heartbeat(this.session, this.#counter);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
