import { join } from 'node:path';
import type { Logger } from 'pino';
import { loadTrustStore } from '../../keys/trust-store.ts';
import type { BrokerAccess } from '../../messages/broker-config.ts';
import { BulkConnection, type BulkMessage } from '../../messages/bulk/bulk-connection.ts';
import type { Config } from '../../messages/config.ts';
import { type TopicName, topic } from '../../messages/mqtt.ts';
import type { Answer, Request } from '../../messages/requests.ts';
import type { Status } from '../../messages/status.ts';
import { loadRobot } from '../../robot/robot.ts';
import { Incoming } from './incoming.ts';
import { offerReasons } from './offer-check.ts';
import { PolicyCourier } from './policy-courier.ts';

export interface PolicyExchangeParts {
  readonly access: BrokerAccess;
  readonly config: Config;
  readonly control: { request(request: Request): Promise<Answer> };
  readonly log: Logger;
  readonly renewed: () => BrokerAccess | undefined;
}

/** Where the gateway puts bundles for control, below the state directory. */
export const INCOMING = ['policies', 'incoming'] as const;

const TICK = 250;
/** The folder of bundles could not be used [ms]. */
const RETRY_START = 10_000;

/** Policies over the broker: the courier with its connection, its folder and its clock. */
export class PolicyExchange {
  readonly #parts: PolicyExchangeParts;
  readonly #courier: PolicyCourier;
  readonly #connection: BulkConnection;
  #timer: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #problem = '';

  constructor(parts: PolicyExchangeParts) {
    const { access, config, control, log, renewed } = parts;
    this.#parts = parts;
    const on = (name: TopicName) => topic(config.name, name);
    const send = (name: TopicName, message: object, retain = false) => {
      void this.#connection.publish(on(name), JSON.stringify(message), { retain });
    };
    this.#courier = new PolicyCourier({
      incoming: new Incoming(join(config.stateDirectory, ...INCOMING)),
      check: (offer, known) =>
        offerReasons(offer, {
          robot: readable(() => loadRobot(config.robot).name),
          trust: readable(() => loadTrustStore(config.trust)),
          known,
          now: Date.now(),
        }),
      vet: (folder) => control.request({ request: 'policy-vet', folder }),
      want: (want) => send('policyWant', want),
      publish: (status) => send('policyStatus', status, true),
      onEvent: (event) => log.info(event, 'policies'),
      now: () => performance.now(),
      wall: Date.now,
    });
    this.#connection = new BulkConnection({
      ...access,
      clientId: `h2o-${config.name}-policies`,
      subscriptions: [on('policyOffer'), on('policyChunk')],
      onMessage: (message) => this.#receive(message, on('policyOffer')),
      onConnected: () => this.#courier.connected(true),
      onLost: (problem) => {
        this.#courier.connected(false);
        if (problem !== this.#problem) log.warn({ problem }, 'no connection for policies');
        this.#problem = problem;
      },
      renewed,
    });
  }

  /** Never rejects: whatever is wrong with the folder is said, and tried again. */
  async start(): Promise<void> {
    try {
      await this.#courier.start();
    } catch (error) {
      this.#parts.log.warn({ error }, 'the folder of policies cannot be used; trying again');
      this.#retry = setTimeout(() => void this.start(), RETRY_START);
      return;
    }
    this.#timer = setInterval(() => this.#courier.tick(), TICK);
    this.#connection.start();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#retry);
    clearInterval(this.#timer);
    await this.#courier.stop();
    await this.#connection.stop();
  }

  status(status: Status): void {
    this.#courier.status(status);
  }

  lost(): void {
    this.#courier.lost();
  }

  #receive({ topic: on, payload, properties, retain }: BulkMessage, offers: string): void {
    if (on === offers) this.#courier.offer(payload);
    else this.#courier.chunk(payload, properties, retain);
  }
}

/** What this process may not read, control will. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
