import { type ISubscriptionMap, type MqttClient, connect as mqttConnect } from 'mqtt';
import { messageOf } from '../../errors.ts';
import { BrokerBackoff } from '../broker-backoff.ts';
import { clientOptions } from '../broker-client.ts';
import type { BrokerAccess } from '../broker-config.ts';
import { brokerTrouble } from '../broker-trouble.ts';

/** What came in. */
export interface BulkMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
  /** MQTT 5 user properties; of one that came twice, the first */
  readonly properties: Readonly<Record<string, string>>;
}

/**
 * What became of a publication. `taken`: the broker has it, which says nothing of a restart of the broker, nor of any
 * receiver. `refused`: the broker will not have it. `lost`: nobody knows. `too-long`: it was not sent.
 */
export type Published = 'taken' | 'refused' | 'lost' | 'too-long';

/** How files are sent, as seen by whoever sends them; tests have one without a broker. */
export interface BulkPort {
  readonly connected: boolean;
  /** longest payload that fits into a packet of this broker [bytes] */
  readonly longestPayload: number;
  /** publications that may wait for their acknowledgement at once */
  readonly window: number;
  /** Never rejects. */
  publish(topic: string, payload: string | Buffer, options?: PublishOptions): Promise<Published>;
}

export interface PublishOptions {
  readonly retain?: boolean;
  readonly properties?: Readonly<Record<string, string>>;
}

export interface BulkOptions extends BrokerAccess {
  readonly clientId: string;
  /** topic filters, QoS 1 */
  readonly subscriptions: readonly string[];
  /** must not throw */
  readonly onMessage: (message: BulkMessage) => void;
  /** all subscriptions are in force; must not throw */
  readonly onConnected: () => void;
  /** told once for each connection that was lost, and for each attempt that failed with another problem; must not throw */
  readonly onLost: (problem: string) => void;
  readonly will?: { readonly topic: string; readonly payload: string; readonly retain: boolean };
  /** reads the files again before every connection, so that a renewed certificate is used by itself */
  readonly renewed?: () => BrokerAccess | undefined;
  readonly random?: () => number;
}

/** A publication that is not acknowledged by then is given up, and the connection with it; its callback may never come [ms]. */
const ACKNOWLEDGE_TIMEOUT = 30_000;
/** Publications that wait for their acknowledgement. More bring nothing: see docs/upload.md. */
const WINDOW = 4;
/** MQTT 5 §3.2.2.3.6: without a word from the broker there is no limit; but mosquitto 2.1 has this one by default [bytes]. */
const LONGEST_PACKET = 2_000_000;
/** Room for topic and properties in a packet [bytes]. */
const OVERHEAD = 1024;
const FAREWELL_TIMEOUT = 1000;
/** MQTT 5 §3.14.2.1 */
const SESSION_TAKEN_OVER = 0x8e;

/**
 * A connection for what is large and can be sent again: apart from the one for commands, so that these never wait behind
 * it. Every connection is a new client object, since MQTT.js sends again what it once took, over and over, also what the
 * broker will not have; it reads neither the broker's longest packet nor its window. Nothing is kept here for later.
 */
export class BulkConnection implements BulkPort {
  readonly counters = {
    /** connections that were made */
    connections: 0,
    /** connections and attempts that failed */
    failures: 0,
    /** publications that the broker has acknowledged */
    published: 0,
    /** publications that it refused */
    refused: 0,
    /** publications of which nobody knows whether they arrived */
    lost: 0,
  };
  /** why there is no connection; empty while there is one */
  problem = 'not started';
  window = WINDOW;
  longestPayload = LONGEST_PACKET - OVERHEAD;
  readonly #options: BulkOptions;
  readonly #backoff: BrokerBackoff;
  readonly #waiting = new Set<() => void>();
  #access: BrokerAccess;
  #client: MqttClient | undefined;
  #retry: NodeJS.Timeout | undefined;
  #running = false;
  #upSince: number | undefined;

  constructor(options: BulkOptions) {
    this.#options = options;
    this.#access = options;
    this.#backoff = new BrokerBackoff(options.random);
  }

  get connected(): boolean {
    return this.#upSince !== undefined;
  }

  /** Connects, now and whenever the connection is lost. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.problem = 'connecting';
    this.#connect();
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    clearTimeout(this.#retry);
    const client = this.#client;
    this.#client = undefined;
    this.#upSince = undefined;
    this.problem = 'stopped';
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

  publish(topic: string, payload: string | Buffer, options: PublishOptions = {}): Promise<Published> {
    const { retain = false, properties } = options;
    const client = this.#client;
    if (!client || !this.connected) return Promise.resolve('lost');
    if (Buffer.byteLength(payload) > this.longestPayload) return Promise.resolve('too-long');
    return new Promise((resolve) => {
      const settle = (how: Published) => {
        if (!this.#waiting.delete(abandon)) return;
        clearTimeout(timer);
        this.counters[how === 'taken' ? 'published' : how === 'refused' ? 'refused' : 'lost'] += 1;
        resolve(how);
      };
      const abandon = () => settle('lost');
      this.#waiting.add(abandon);
      const timer = setTimeout(() => {
        this.#lost(client, 'the broker does not acknowledge what was sent', false);
        settle('lost');
      }, ACKNOWLEDGE_TIMEOUT);
      const contentType = properties ? 'application/octet-stream' : 'application/json';
      client.publish(
        topic,
        typeof payload === 'string' ? Buffer.from(payload) : payload,
        { qos: 1, retain, properties: { contentType, ...(properties && { userProperties: { ...properties } }) } },
        // With the connection still there it is the broker's no.
        (error) => settle(!error ? 'taken' : client.connected ? 'refused' : 'lost'),
      );
    });
  }

  #connect(): void {
    const { clientId, will } = this.#options;
    let client: MqttClient;
    try {
      this.#access = this.#options.renewed?.() ?? this.#access;
      client = mqttConnect(this.#access.url, {
        ...clientOptions(this.#access),
        clientId,
        keepalive: 30,
        properties: { receiveMaximum: 16, maximumPacketSize: LONGEST_PACKET },
        ...(will && { will: { ...will, payload: Buffer.from(will.payload), qos: 1 } }),
      });
    } catch (error) {
      this.#tryAgain(messageOf(error), false);
      return;
    }
    this.#client = client;
    let takenOver = false;
    client.on('connect', ({ properties }) => {
      this.longestPayload = Math.min(LONGEST_PACKET, properties?.maximumPacketSize ?? LONGEST_PACKET) - OVERHEAD;
      this.window = Math.min(WINDOW, properties?.receiveMaximum ?? WINDOW);
      this.#subscribe(client);
    });
    client.on('message', (topic, payload, { retain, properties }) => {
      if (this.#client !== client) return;
      this.#options.onMessage({ topic, payload, retain, properties: textsOf(properties?.userProperties) });
    });
    client.on('disconnect', ({ reasonCode = 0 }) => {
      takenOver = reasonCode === SESSION_TAKEN_OVER;
      this.#lost(client, `the broker ended the connection (${reasonCode})`, takenOver);
    });
    client.on('error', (error) => this.#lost(client, brokerTrouble(error, this.#access).problem, takenOver));
    client.on('close', () => this.#lost(client, 'the connection was closed', takenOver));
  }

  #subscribe(client: MqttClient): void {
    // The retain flag as published: what is retained is not always acted on.
    const wanted: Omit<ISubscriptionMap, 'resubscribe'> = Object.fromEntries(
      this.#options.subscriptions.map((filter) => [filter, { qos: 1, rap: true, rh: 0 }]),
    );
    client.subscribe(wanted as ISubscriptionMap, (error, granted) => {
      if (this.#client !== client || !this.#running) return;
      const refused = granted?.filter((grant) => grant.qos >= 0x80).map((grant) => grant.topic) ?? [];
      if (error || refused.length > 0) {
        const which = refused.length > 0 ? refused.join(', ') : messageOf(error);
        this.#lost(client, `subscription refused: ${which}`, false);
        return;
      }
      this.counters.connections += 1;
      this.#upSince = performance.now();
      this.problem = '';
      this.#options.onConnected();
    });
  }

  #lost(client: MqttClient, problem: string, dismissed: boolean): void {
    if (this.#client !== client || !this.#running) return;
    this.#client = undefined;
    discard(client);
    this.#tryAgain(problem, dismissed);
  }

  #tryAgain(problem: string, dismissed: boolean): void {
    const since = this.#upSince;
    this.#upSince = undefined;
    this.counters.failures += 1;
    const takenOver = (since !== undefined && this.#backoff.lived(performance.now() - since)) || dismissed;
    const wait = takenOver ? this.#backoff.afterTakeover() : this.#backoff.afterFailure();
    this.#retry = setTimeout(() => this.#connect(), wait);
    const said = takenOver ? `another client came with the same id, ${this.#options.clientId}` : problem;
    const isNew = since !== undefined || said !== this.problem;
    this.problem = said;
    this.#abandon();
    if (isNew) this.#options.onLost(said);
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

function textsOf(properties: Readonly<Record<string, string | string[]>> | undefined): Record<string, string> {
  const texts = Object.entries(properties ?? {}).map(([name, value]) => [
    name,
    Array.isArray(value) ? value[0] : value,
  ]);
  return Object.fromEntries(texts.filter(([, value]) => value !== undefined));
}
