import { messageOf } from '../errors.ts';
import type { Answer, Request } from '../messages/requests.ts';
import type { Status } from '../messages/status.ts';
import { ControlClient } from './control-client.ts';

export interface ControlLinkOptions {
  /** path of control's socket */
  readonly path: string;
  readonly onRow: (bytes: Buffer) => void;
  readonly onTape: (bytes: Buffer) => void;
  readonly onEvent: (event: Record<string, unknown>) => void;
  readonly onStatus: (status: Status) => void;
  /** control is not there any more, or why it cannot be reached */
  readonly onLost: (problem: string) => void;
}

/** How often control is asked for its status [ms]. */
const STATUS_INTERVAL = 250;
const RETRY_INTERVAL = 500;

/** The gateway's connection to control, made again whenever it is lost. */
export class ControlLink {
  readonly #options: ControlLinkOptions;
  #client: ControlClient | undefined;
  #running = false;
  #ended: Promise<void> = Promise.resolve();
  #wake: () => void = () => {};

  constructor(options: ControlLinkOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = true;
    this.#ended = this.#run();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#client?.close();
    this.#wake();
    await this.#ended;
  }

  /** For `Relay`. Rejects when control is not there. */
  async request(request: Request): Promise<Answer> {
    if (!this.#client) throw new Error('control is not there');
    return await this.#client.request(request);
  }

  /** Begins anew with the oldest row that was not acknowledged. */
  reconnect(): void {
    this.#client?.close();
  }

  acknowledge(sequence: number): void {
    this.#client?.acknowledge(sequence);
  }

  async #run(): Promise<void> {
    let told = '';
    while (this.#running) {
      try {
        const client = await ControlClient.connect(this.#options.path);
        told = '';
        await this.#serve(client);
      } catch (error) {
        // Once, not twice a second while it lasts.
        const problem = messageOf(error);
        if (problem !== told) this.#options.onLost(problem);
        told = problem;
      }
      this.#client = undefined;
      if (this.#running) await this.#pause(RETRY_INTERVAL);
    }
  }

  async #serve(client: ControlClient): Promise<void> {
    client.onRow = this.#options.onRow;
    client.onTape = this.#options.onTape;
    client.onEvent = this.#options.onEvent;
    let open = true;
    void client.closed.then(() => {
      open = false;
      this.#wake();
    });
    try {
      // Refused when another gateway has the rows: then this one has nothing to do here.
      await client.subscribe({ rows: true, events: true });
      this.#client = client;
      while (open && this.#running) {
        this.#options.onStatus(await client.status());
        await this.#pause(STATUS_INTERVAL);
      }
      if (this.#running) this.#options.onLost('control ended the connection');
    } finally {
      client.close();
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
