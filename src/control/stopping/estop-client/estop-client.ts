import { randomBytes } from 'node:crypto';
import { messageOf } from '../../../errors.ts';
import { MQTT_SCHEMA, topic } from '../../../messages/mqtt.ts';
import { type BrokerAddress, BrokerSockets } from './broker-socket.ts';
import { type Clock, systemClock } from './clock.ts';
import { type BrokerLimits, EstopConnection } from './estop-connection.ts';
import { senderOf } from './estop-source.ts';
import { type StopProgress, StopReports } from './estop-stages.ts';
import { EventOutbox, type QueuedEvent } from './event-outbox.ts';
import type { Publication } from './mqtt-reader.ts';

export interface EstopClientOptions extends BrokerAddress {
  /** name of this robot */
  readonly robot: string;
  readonly username?: string;
  readonly password?: string;
  /**
   * Stops the robot: called in the turn of the event loop in which the message was read, once for all the stops of that
   * turn. What it returns is reported to the senders as it comes.
   */
  readonly onStop: (source: string) => StopProgress | undefined;
  /** told of every change of `state`, and why */
  readonly onState?: (state: EstopClientState, problem: string) => void;
  readonly clock?: Clock;
}

export type EstopClientState = 'stopped' | 'connecting' | 'connected' | 'waiting';

/** First and longest wait before the next attempt to connect [ms]. */
const FIRST_RETRY = 500;
const LONGEST_RETRY = 5000;
/** Not every broker says that another client came with the same id (mosquitto 2.0.11 just closes): after so many */
const SUSPICIOUS = 2;
/** connections in a row that lived no longer than this, it is taken for granted [ms]. */
const SHORT_LIFE = 30_000;
/** Between two events [ms]: a flood of stops must not become a flood of events. */
const EVENT_PACE = 20;
/** Longest event [bytes]. */
const LONGEST_EVENT = 4096;
/** Senders of one turn's stops that are told by id. */
const MOST_IDS = 16;

/**
 * Control's own ear for the emergency stop: one small MQTT client that knows one topic, works without the gateway, and
 * tries to connect for ever. Never throws after `start`, allocates little, and looks at one kilobyte a millisecond at
 * most, whatever the broker sends.
 */
export class EstopClient {
  readonly counters = {
    /** messages on the e-stop topic that stopped */
    stops: 0,
    /** empty retained messages: a broker cleared its copy */
    clearings: 0,
    /** messages on other topics, which were not subscribed */
    foreign: 0,
    /** connections whose subscription was granted */
    connections: 0,
    /** attempts and connections that failed */
    failures: 0,
    /** times that another client came with the same id, or seems to have come */
    takeovers: 0,
    /** times that the order to stop itself failed; a fault of this program */
    stopFailures: 0,
    /** bytes read */
    bytesIn: 0,
    /** most bytes looked at in one turn of the event loop */
    mostBytesPerTurn: 0,
  };
  /** why there is no connection; empty while there is one */
  problem = '';
  readonly outbox = new EventOutbox();
  readonly #options: EstopClientOptions;
  readonly #clock: Clock;
  readonly #reports: StopReports;
  #state: EstopClientState = 'stopped';
  #sockets: BrokerSockets | undefined;
  #connection: EstopConnection | undefined;
  #limits: BrokerLimits | undefined;
  #topic = '';
  #eventTopic = '';
  #clientId = '';
  #retryDelay = FIRST_RETRY;
  /** when the subscription was granted [ms]; undefined while it is not */
  #upSince: number | undefined;
  /** connections in a row that the broker ended soon after they were up */
  #shortLived = 0;
  #stopRetry: () => void = () => {};
  #stopPacing: (() => void) | undefined;
  /** the stops of the turn of the event loop that is under way */
  #turn: { source: string; ids: string[]; progress: StopProgress | undefined } | undefined;

  constructor(options: EstopClientOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#reports = new StopReports((event) => this.publishEvent(event));
  }

  get state(): EstopClientState {
    return this.#state;
  }

  /** To be called before the port is opened: certificates are read here. @throws EdgeError `configInvalid`, `usage` */
  start(): void {
    if (this.#state !== 'stopped') return;
    const { robot } = this.#options;
    this.#topic = topic(robot, 'estop');
    this.#eventTopic = topic(robot, 'event');
    this.#clientId = `h2o-${robot}-estop`;
    this.#sockets = new BrokerSockets(this.#options);
    this.#connect(this.#sockets);
  }

  stop(): void {
    if (this.#state === 'stopped') return;
    this.#enter('stopped', '');
    this.#stopRetry();
    this.#stopPacing?.();
    this.#stopPacing = undefined;
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.close();
  }

  /** Puts an event on its way; `schema` and, unless it is there, `at` are added. It waits while there is no connection. */
  publishEvent(event: QueuedEvent): void {
    this.outbox.offer({ schema: MQTT_SCHEMA, at: this.#clock.wall(), ...event });
    this.#pump();
  }

  #connect(sockets: BrokerSockets): void {
    const { username, password } = this.#options;
    const connection = new EstopConnection(
      {
        sockets,
        clock: this.#clock,
        clientId: this.#clientId,
        topic: this.#topic,
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password }),
      },
      {
        message: (publication) => this.#received(publication),
        turnEnds: (bytes) => this.#turnEnds(bytes),
        up: (limits) => this.#up(limits),
        acknowledged: (messageId, refusal) => this.#acknowledged(messageId, refusal),
        down: (reason, takenOver) => this.#down(reason, takenOver),
      },
    );
    this.#connection = connection;
    this.#enter('connecting', this.problem);
    connection.open();
  }

  #received({ topic: on, retain, payload, length }: Publication): void {
    if (on !== this.#topic) {
      this.counters.foreign += 1;
      return;
    }
    if (retain && length === 0) {
      this.counters.clearings += 1;
      return;
    }
    this.counters.stops += 1;
    const { source, id } = senderOf(payload, length);
    if (this.#turn === undefined) this.#turn = { source, ids: [], progress: this.#stopRobot(source) };
    if (id !== undefined && this.#turn.ids.length < MOST_IDS) this.#turn.ids.push(id);
  }

  #stopRobot(source: string): StopProgress | undefined {
    try {
      return this.#options.onStop(source);
    } catch (error) {
      this.counters.stopFailures += 1;
      this.problem = `the stop failed: ${messageOf(error)}`;
      return undefined;
    }
  }

  #turnEnds(bytes: number): void {
    this.counters.bytesIn += bytes;
    this.counters.mostBytesPerTurn = Math.max(this.counters.mostBytesPerTurn, bytes);
    const turn = this.#turn;
    this.#turn = undefined;
    if (turn) this.#reports.stopped(turn.source, turn.ids, turn.progress);
  }

  #up(limits: BrokerLimits): void {
    this.counters.connections += 1;
    this.#limits = limits;
    this.#upSince = this.#clock.now();
    this.#retryDelay = FIRST_RETRY;
    this.outbox.rewind();
    this.#enter('connected', '');
    this.#pump();
  }

  #down(reason: string, takenOver: boolean): void {
    this.#connection = undefined;
    this.#limits = undefined;
    if (this.#state === 'stopped') return;
    this.counters.failures += 1;
    if (this.#upSince !== undefined) {
      this.#shortLived = this.#clock.now() - this.#upSince < SHORT_LIFE ? this.#shortLived + 1 : 0;
      this.#upSince = undefined;
    }
    if (takenOver || this.#shortLived >= SUSPICIOUS) {
      // Two ears are better than one that is torn between two: the other keeps the name, this one takes another.
      this.counters.takeovers += 1;
      this.#shortLived = 0;
      this.#clientId = `h2o-${this.#options.robot}-estop-${randomBytes(4).toString('hex')}`;
    }
    this.#enter('waiting', reason);
    this.#stopRetry = this.#clock.after(this.#retryDelay, () => {
      if (this.#sockets && this.#state === 'waiting') this.#connect(this.#sockets);
    });
    this.#retryDelay = Math.min(2 * this.#retryDelay, LONGEST_RETRY);
  }

  #acknowledged(messageId: number, refusal: string): void {
    if (refusal !== '') this.problem = `the broker took no event: ${refusal}`;
    this.outbox.settled(messageId, refusal === '');
    this.#pump();
  }

  /** One event at most in every `EVENT_PACE`. */
  #pump(): void {
    const limits = this.#limits;
    if (this.#stopPacing !== undefined || limits === undefined) return;
    const next = this.outbox.next(limits.inFlight);
    if (next === undefined) return;
    const { event, messageId } = next;
    const payload = JSON.stringify(event);
    const fits = payload.length <= Math.min(LONGEST_EVENT, limits.packet - 256);
    this.#stopPacing = this.#clock.after(EVENT_PACE, () => {
      this.#stopPacing = undefined;
      this.#pump();
    });
    const sent = fits && this.#connection?.publish(this.#eventTopic, payload, messageId) === true;
    if (!fits) this.outbox.settled(messageId, false);
    else if (sent && limits.qos === 0) this.outbox.settled(messageId, true);
  }

  #enter(state: EstopClientState, problem: string): void {
    if (state === 'connected' || problem !== '') this.problem = problem;
    if (state === this.#state) return;
    this.#state = state;
    try {
      this.#options.onState?.(state, this.problem);
    } catch (error) {
      this.problem = messageOf(error);
    }
  }
}
