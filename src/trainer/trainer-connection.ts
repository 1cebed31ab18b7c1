import { type ISubscriptionMap, type MqttClient, connect as mqttConnect } from 'mqtt';
import { messageOf } from '../errors.ts';
import { clientOptions } from '../messages/broker-client.ts';
import type { BrokerAccess } from '../messages/broker-config.ts';
import { brokerTrouble } from '../messages/broker-trouble.ts';

export interface Received {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
  readonly responseTopic: string | undefined;
  readonly correlationData: Buffer | undefined;
}

export interface Sent {
  readonly retain?: boolean;
  readonly properties?: Readonly<Record<string, string>>;
  readonly correlationData?: Buffer | undefined;
}

/**
 * What became of a publication. `taken`: the broker has it; `refused`: it will not have it; `lost`: nobody knows;
 * `too-long`: it was not sent.
 */
export type Fate = 'taken' | 'refused' | 'lost' | 'too-long';

/** The way to the broker as those see it who use it. */
export interface TrainerPort {
  readonly connected: boolean;
  /** Never rejects. */
  publish(topic: string, payload: string | Buffer, options?: Sent): Promise<Fate>;
}

export interface TrainerConnectionOptions {
  readonly clientId: string;
  /** reads the files before every connection, so that a renewed certificate is used by itself */
  readonly access: () => BrokerAccess;
  readonly subscriptions?: readonly string[];
  readonly will?: () => { readonly topic: string; readonly payload: string };
  readonly onMessage?: (message: Received) => void;
  /** all subscriptions are in force */
  readonly onConnected?: () => void;
  readonly onLost?: (problem: string) => void;
}

/** First and longest wait before it connects again [ms]. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;
/** A connection that lived so long begins to count anew [ms]. */
const LONG_LIFE = 30_000;
/** A publication that is not acknowledged by then is given up, and the connection with it [ms]. */
const ACKNOWLEDGE_TIMEOUT = 30_000;
/** mosquitto 2.1 takes no longer packets unless it is told to; others say what they take [bytes]. */
const LONGEST_PACKET = 2_000_000;
const OVERHEAD = 1024;
const FAREWELL_TIMEOUT = 1000;

/**
 * A connection to the broker that is made anew whenever it is lost. Every attempt is a new client object: MQTT.js sends
 * again what it once took, over and over, also what the broker will not have. Nothing is kept here for later.
 */
export class TrainerConnection implements TrainerPort {
  /** why there is no connection; empty while there is one */
  problem = 'not started';
  readonly #options: TrainerConnectionOptions;
  readonly #waiting = new Set<() => void>();
  #client: MqttClient | undefined;
  #retry: NodeJS.Timeout | undefined;
  #running = false;
  #upSince: number | undefined;
  #failures = 0;
  #longest = LONGEST_PACKET;

  constructor(options: TrainerConnectionOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#upSince !== undefined;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.problem = 'connecting';
    this.#connect();
  }

  async stop(): Promise<void> {
    this.#running = false;
    clearTimeout(this.#retry);
    const client = this.#client;
    this.#client = undefined;
    this.#upSince = undefined;
    this.#abandon();
    if (!client) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, FAREWELL_TIMEOUT);
      client.end(false, {}, () => {
        clearTimeout(timer);
        resolve();
      });
    });
    discard(client);
  }

  publish(topic: string, payload: string | Buffer, { retain = false, properties, correlationData }: Sent = {}) {
    const client = this.#client;
    if (!client || !this.connected) return Promise.resolve<Fate>('lost');
    if (Buffer.byteLength(payload) > this.#longest - OVERHEAD) return Promise.resolve<Fate>('too-long');
    return new Promise<Fate>((resolve) => {
      const settle = (fate: Fate) => {
        if (!this.#waiting.delete(abandon)) return;
        clearTimeout(timer);
        resolve(fate);
      };
      const abandon = () => settle('lost');
      this.#waiting.add(abandon);
      const timer = setTimeout(() => this.#lost(client, 'the broker acknowledges nothing'), ACKNOWLEDGE_TIMEOUT);
      client.publish(
        topic,
        typeof payload === 'string' ? Buffer.from(payload) : payload,
        {
          qos: 1,
          retain,
          properties: {
            contentType: properties ? 'application/octet-stream' : 'application/json',
            ...(properties && { userProperties: { ...properties } }),
            ...(correlationData && { correlationData }),
          },
        },
        // With the connection still there it is the broker's no.
        (error) => settle(!error ? 'taken' : client.connected ? 'refused' : 'lost'),
      );
    });
  }

  #connect(): void {
    const { clientId, will } = this.#options;
    let client: MqttClient;
    let access: BrokerAccess;
    try {
      access = this.#options.access();
      const last = will?.();
      client = mqttConnect(access.url, {
        ...clientOptions(access),
        clientId,
        keepalive: 10,
        properties: { receiveMaximum: 16, maximumPacketSize: LONGEST_PACKET },
        ...(last && { will: { topic: last.topic, payload: Buffer.from(last.payload), qos: 1, retain: true } }),
      });
    } catch (error) {
      this.#tryAgain(messageOf(error));
      return;
    }
    this.#client = client;
    client.on('connect', ({ properties }) => {
      this.#longest = Math.min(LONGEST_PACKET, properties?.maximumPacketSize ?? LONGEST_PACKET);
      this.#subscribe(client);
    });
    client.on('message', (topic, payload, { retain, properties }) => {
      if (this.#client !== client) return;
      const { responseTopic, correlationData } = properties ?? {};
      this.#options.onMessage?.({ topic, payload, retain, responseTopic, correlationData });
    });
    client.on('disconnect', ({ reasonCode = 0 }) =>
      this.#lost(client, `the broker ended the connection (${reasonCode})`),
    );
    client.on('error', (error) => this.#lost(client, brokerTrouble(error, access).problem));
    client.on('close', () => this.#lost(client, 'the connection was closed'));
  }

  #subscribe(client: MqttClient): void {
    const up = () => {
      this.#upSince = performance.now();
      this.problem = '';
      this.#options.onConnected?.();
    };
    const { subscriptions = [] } = this.#options;
    if (subscriptions.length === 0) {
      up();
      return;
    }
    // The retain flag as published: retained orders are not carried out.
    const wanted = Object.fromEntries(subscriptions.map((filter) => [filter, { qos: 1, rap: true, rh: 0 }]));
    client.subscribe(wanted as ISubscriptionMap, (error, granted) => {
      if (this.#client !== client || !this.#running) return;
      const refused = granted?.filter((grant) => grant.qos >= 0x80).map((grant) => grant.topic) ?? [];
      if (!error && refused.length === 0) up();
      else this.#lost(client, `subscription refused: ${refused.join(', ') || messageOf(error)}`);
    });
  }

  #lost(client: MqttClient, problem: string): void {
    if (this.#client !== client || !this.#running) return;
    this.#client = undefined;
    discard(client);
    this.#tryAgain(problem);
  }

  #tryAgain(problem: string): void {
    if (this.#upSince !== undefined && performance.now() - this.#upSince > LONG_LIFE) this.#failures = 0;
    this.#upSince = undefined;
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures) * (0.5 + 0.5 * Math.random());
    this.#failures += 1;
    this.#retry = setTimeout(() => this.#connect(), wait);
    const isNew = problem !== this.problem;
    this.problem = problem;
    this.#abandon();
    if (isNew) this.#options.onLost?.(problem);
  }

  #abandon(): void {
    for (const abandon of [...this.#waiting]) abandon();
  }
}

/** Nothing of this client matters any more. */
function discard(client: MqttClient): void {
  client.removeAllListeners();
  // MQTT.js throws errors that nobody listens to.
  client.on('error', () => {});
  client.end(true);
}
