import { type ISubscriptionMap, type MqttClient, connect as mqttConnect } from 'mqtt';
import { BehaviorSubject, type Observable } from 'rxjs';
import { messageOf } from '../errors.ts';
import { BrokerBackoff } from '../messages/broker-backoff.ts';
import { clientOptions } from '../messages/broker-client.ts';
import type { BrokerAccess } from '../messages/broker-config.ts';
import { brokerTrouble } from '../messages/broker-trouble.ts';
import {
  type CommandResponse,
  type EventMessage,
  MQTT_SCHEMA,
  MQTT_TOPICS,
  type StateMessage,
  type TelemetryMessage,
  type TopicName,
  topic,
} from '../messages/mqtt.ts';
import { offlineState } from '../messages/mqtt-state.ts';
import { EventQueue } from './event-queue.ts';

export interface BrokerOptions extends BrokerAccess {
  /** name of this robot */
  readonly robot: string;
  /** for the gateway's own log: events of the connection itself, which the broker learns of late or never */
  readonly onEvent?: (event: EventMessage) => void;
  /** for the gateway's own log: why there is no connection, whenever that changes */
  readonly onProblem?: (problem: string) => void;
  /** reads the files again before every connection, so that a renewed certificate is used by itself */
  readonly renewed?: () => BrokerAccess | undefined;
  /** wall clock [ms since 1970] */
  readonly wall?: () => number;
  /** monotonic [ms] */
  readonly now?: () => number;
}

/** What came in on one of the topics that are relayed to control. */
export interface InboundMessage {
  readonly name: 'challenge' | 'command' | 'heartbeat';
  readonly payload: Buffer;
  readonly retain: boolean;
  readonly responseTopic: string | undefined;
  readonly correlationData: Buffer | undefined;
}

const INBOUND = ['challenge', 'command', 'heartbeat'] as const;

/** Longest packet that is sent, whatever the broker would take; also what it may send to us [bytes]. */
const LONGEST_PACKET = 256 * 1024;
/** Room for topic and properties in a packet [bytes]. */
const OVERHEAD = 1024;
/** A publication that the broker has not acknowledged by then is given up; its callback may never come [ms]. */
const ACKNOWLEDGE_TIMEOUT = 10_000;
/** Publications that may wait for their acknowledgement. */
const MOST_IN_FLIGHT = 16;
/** Telemetry is left out while so much waits to be written [bytes]. */
const STALE_BUFFER = 32 * 1024;
/** How long a goodbye may take [ms]. */
const FAREWELL_TIMEOUT = 1000;
/** MQTT 5 §3.14.2.1 */
const SESSION_TAKEN_OVER = 0x8e;

/**
 * The gateway's connection to the broker. Every connection is a new client object, so nothing of an old one is ever sent
 * again behind our back: MQTT.js resends what it once took, over and over, also what the broker will not have. What
 * must arrive is kept here: the latest state and a few events.
 */
export class Broker {
  readonly counters = {
    /** connections that were made */
    connections: 0,
    /** connections and attempts that failed */
    failures: 0,
    /** times that another client came with the same id, or seems to have come */
    takeovers: 0,
    /** publications that the broker has acknowledged, or that needed no acknowledgement */
    published: 0,
    /** publications that were longer than the broker takes */
    oversized: 0,
    /** publications that the broker refused or did not acknowledge in time */
    unacknowledged: 0,
    /** telemetry that was left out because there was no connection or it was too slow */
    telemetryLeftOut: 0,
    /** messages that came in */
    received: 0,
  };
  /** why there is no connection; empty while there is one */
  problem = 'not started';
  /** the problem of which the log knows */
  #reported = '';
  readonly #options: BrokerOptions;
  #access: BrokerAccess;
  readonly #wall: () => number;
  readonly #now: () => number;
  readonly #backoff = new BrokerBackoff();
  readonly #connected$ = new BehaviorSubject(false);
  readonly #events = new EventQueue();
  /** publications that wait for their acknowledgement: what ends the wait */
  readonly #waiting = new Set<() => void>();
  #handler: (message: InboundMessage) => void = () => {};
  #client: MqttClient | undefined;
  #retry: NodeJS.Timeout | undefined;
  #running = false;
  /** when the connection was up [ms]; undefined while it is not */
  #upSince: number | undefined;
  #longestPacket = LONGEST_PACKET;
  #state: StateMessage | undefined;

  constructor(options: BrokerOptions) {
    this.#options = options;
    this.#access = options;
    this.#wall = options.wall ?? Date.now;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Whether messages come in and go out, now and whenever that changes. */
  get connected$(): Observable<boolean> {
    return this.#connected$;
  }

  get connected(): boolean {
    return this.#connected$.value;
  }

  /** Whether more waits to be written than goes out. */
  get isSlow(): boolean {
    return (this.#client?.stream.writableLength ?? 0) > STALE_BUFFER;
  }

  /** events that were pushed out by later ones while there was no connection */
  get eventsLost(): number {
    return this.#events.lost;
  }

  /** What is to happen with messages on `challenge`, `command` and `heartbeat`. The handler must not throw. */
  onRequest(handler: (message: InboundMessage) => void): void {
    this.#handler = handler;
  }

  /** Connects, now and whenever the connection is lost. @throws EdgeError `usage` when `robot` is no name of a robot */
  start(): void {
    if (this.#running) return;
    this.#topic('state');
    this.#running = true;
    this.problem = 'connecting';
    this.#connect();
  }

  /** Says that the robot is offline, and leaves. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    clearTimeout(this.#retry);
    const client = this.#client;
    if (client && this.connected) {
      const farewell = JSON.stringify(offlineState('the gateway was stopped', this.#wall()));
      await withinFarewell((done) => {
        client.publish(this.#topic('state'), farewell, { qos: 1, retain: true }, done);
      });
    }
    this.#client = undefined;
    this.#disconnected();
    this.problem = 'stopped';
    if (!client) return;
    await withinFarewell((done) => client.end(false, {}, done));
    discard(client);
  }

  /** Publishes a state, retained. The latest is published again at every connection. */
  publishState(state: StateMessage): void {
    this.#state = state;
    if (this.connected) void this.#publish('state', this.#topic('state'), state);
  }

  /** Publishes an event, in order; some wait for a connection. */
  publishEvent(event: EventMessage): void {
    this.#events.add(event);
    this.#sendEvents();
  }

  /** Publishes telemetry now or never. */
  publishTelemetry(telemetry: TelemetryMessage): void {
    if (!this.connected || this.isSlow) this.counters.telemetryLeftOut += 1;
    else void this.#publish('telemetry', this.#topic('telemetry'), telemetry);
  }

  /** Publishes an answer where it may go, see `allowedResponseTopic`. A lost answer is the asker's to ask for again. */
  publishResponse(where: string, response: CommandResponse, correlationData: Buffer | undefined): void {
    if (this.connected) void this.#publish('response', where, response, correlationData);
  }

  #topic(name: TopicName): string {
    return topic(this.#options.robot, name);
  }

  #connect(): void {
    const { robot } = this.#options;
    let client: MqttClient;
    try {
      this.#access = this.#options.renewed?.() ?? this.#access;
      client = mqttConnect(this.#access.url, {
        ...clientOptions(this.#access),
        clientId: `h2o-${robot}-gateway`,
        keepalive: 10,
        // Above the longest payload that is looked at, so that one too long is refused with a reason by us.
        properties: { receiveMaximum: 16, maximumPacketSize: LONGEST_PACKET },
        will: {
          topic: this.#topic('state'),
          payload: JSON.stringify(offlineState('the gateway lost its connection to the broker', this.#wall())),
          qos: 1,
          retain: true,
        },
      });
    } catch (error) {
      this.#tryAgain(messageOf(error), false);
      return;
    }
    this.#client = client;
    let takenOver = false;
    const lost = (problem: string) => {
      if (this.#client !== client || !this.#running) return;
      this.#client = undefined;
      discard(client);
      this.#tryAgain(problem, takenOver);
    };
    client.on('connect', ({ properties }) => {
      this.#longestPacket = Math.min(LONGEST_PACKET, properties?.maximumPacketSize ?? LONGEST_PACKET);
      this.#subscribe(client, lost);
    });
    client.on('message', (on, payload, { retain, properties }) => {
      const name = INBOUND.find((candidate) => this.#topic(candidate) === on);
      if (name === undefined) return;
      this.counters.received += 1;
      const { responseTopic, correlationData } = properties ?? {};
      this.#handler({ name, payload, retain, responseTopic, correlationData });
    });
    client.on('disconnect', ({ reasonCode = 0 }) => {
      takenOver = reasonCode === SESSION_TAKEN_OVER;
      lost(`the broker ended the connection (${reasonCode})`);
    });
    client.on('error', (error) => lost(brokerTrouble(error, this.#access).problem));
    client.on('close', () => lost('the connection was closed'));
  }

  #subscribe(client: MqttClient, lost: (problem: string) => void): void {
    const wanted: Omit<ISubscriptionMap, 'resubscribe'> = Object.fromEntries(
      // The retain flag as published: what is retained is not acted on, and live messages must show it too.
      INBOUND.map((name) => [this.#topic(name), { qos: MQTT_TOPICS[name].qos, rap: true, rh: 0 }]),
    );
    client.subscribe(wanted as ISubscriptionMap, (error, granted) => {
      if (this.#client !== client || !this.#running) return;
      const refused = granted?.filter((grant) => grant.qos >= 0x80).map((grant) => grant.topic) ?? [];
      if (error || refused.length > 0) {
        lost(`subscription refused: ${error ? messageOf(error) : refused.join(', ')}`);
        return;
      }
      this.counters.connections += 1;
      this.#upSince = this.#now();
      this.problem = '';
      this.#reported = '';
      this.#connected$.next(true);
      if (this.#state) this.publishState(this.#state);
      this.#sendEvents();
    });
  }

  #tryAgain(problem: string, dismissed: boolean): void {
    const since = this.#upSince;
    this.#upSince = undefined;
    const takenOver = (since !== undefined && this.#backoff.lived(this.#now() - since)) || dismissed;
    this.counters.failures += 1;
    this.problem = problem;
    if (problem !== this.#reported) this.#options.onProblem?.(problem);
    this.#reported = problem;
    this.#disconnected();
    const wait = takenOver ? this.#backoff.afterTakeover() : this.#backoff.afterFailure();
    this.#retry = setTimeout(() => this.#connect(), wait);
    if (!takenOver) return;
    this.counters.takeovers += 1;
    this.problem = 'another client came with the same id: does a second gateway run under this name?';
    const retryInMs = Math.round(wait);
    const event = { schema: MQTT_SCHEMA, event: 'session-taken-over', at: this.#wall(), retryInMs } as const;
    this.publishEvent(event);
    this.#options.onEvent?.(event);
  }

  #disconnected(): void {
    for (const abandon of [...this.#waiting]) abandon();
    this.#events.rewind();
    if (this.connected) this.#connected$.next(false);
  }

  #sendEvents(): void {
    while (this.connected && this.#waiting.size < MOST_IN_FLIGHT) {
      const event = this.#events.next();
      if (event === undefined) return;
      void this.#publish('event', this.#topic('event'), event).then((settled) => {
        if (!settled) return;
        this.#events.settled(event);
        this.#sendEvents();
      });
    }
  }

  /** Never rejects. @returns false when the connection was lost before the broker had it */
  #publish(
    name: 'state' | 'event' | 'telemetry' | 'response',
    where: string,
    message: object,
    correlationData?: Buffer,
  ): Promise<boolean> {
    const client = this.#client;
    const { qos, retain } = MQTT_TOPICS[name];
    const payload = JSON.stringify(message);
    if (Buffer.byteLength(payload) > this.#longestPacket - OVERHEAD) {
      this.counters.oversized += 1;
      return Promise.resolve(true);
    }
    if (!client) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (settled: boolean, counter?: 'published' | 'unacknowledged') => {
        if (!this.#waiting.delete(abandon)) return;
        clearTimeout(timer);
        if (counter) this.counters[counter] += 1;
        resolve(settled);
      };
      const abandon = () => settle(false);
      this.#waiting.add(abandon);
      const timer = setTimeout(() => settle(true, 'unacknowledged'), ACKNOWLEDGE_TIMEOUT);
      const properties = { contentType: 'application/json', ...(correlationData && { correlationData }) };
      client.publish(where, payload, { qos, retain: retain === 'yes', properties }, (error) => {
        if (!error) settle(true, 'published');
        // With the connection still there it is the broker's no, and asking again will not help.
        else if (client.connected) settle(true, 'unacknowledged');
        else settle(false);
      });
    });
  }
}

/** Nothing of this client matters any more. */
function discard(client: MqttClient): void {
  client.removeAllListeners();
  // MQTT.js throws errors that nobody listens to.
  client.on('error', () => {});
  client.end(true);
}

/** Waits until `done` is called, but not for long. */
function withinFarewell(work: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, FAREWELL_TIMEOUT);
    work(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
