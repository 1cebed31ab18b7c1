import { Allowance } from '../allowance.ts';
import { messageOf } from '../errors.ts';
import {
  allowedResponseTopic,
  type CommandResponse,
  challengeRequest,
  commandRequest,
  commandResponse,
  type EventMessage,
  type HeartbeatMessage,
  heartbeatMessage,
  MAX_INBOUND_PAYLOAD,
  type MessageId,
  MQTT_SCHEMA,
  parsePayload,
} from '../messages/mqtt.ts';
import type { Answer, Refusal, Request } from '../messages/requests.ts';
import type { InboundMessage } from './broker.ts';
import { OpenChallenges } from './open-challenges.ts';

/** What control is asked for. */
export type RelayedRequest =
  | Request
  | ({ readonly request: 'heartbeat' } & Pick<HeartbeatMessage, 'session' | 'counter'>);

/** The connection to control. Rejects when control does not answer. */
export interface ControlPort {
  request(request: RelayedRequest): Promise<Answer>;
}

export interface RelayParts {
  /** name of this robot */
  readonly robot: string;
  readonly control: ControlPort;
  readonly respond: (topic: string, response: CommandResponse, correlationData: Buffer | undefined) => void;
  readonly event: (event: EventMessage) => void;
  /** monotonic [ms] */
  readonly now: () => number;
  /** wall clock [ms since 1970] */
  readonly wall: () => number;
}

const COMMANDS_PER_SECOND = 10;
const CHALLENGES_PER_SECOND = 10;
const HEARTBEATS_PER_SECOND = 50;
const EVENTS_PER_SECOND = 5;
/** Requests that may wait for control; more are refused, so that a hung control costs no memory. */
const MOST_PENDING = 32;
const LONGEST_CORRELATION = 256;

/**
 * Carries challenge, command and heartbeat from the broker to control and the answers back. A courier: it verifies no
 * signature, and control trusts it with nothing. What it does not carry it refuses with a reason.
 */
export class Relay {
  readonly counters = {
    /** messages carried to control */
    relayed: 0,
    /** retained messages on topics where they are not acted on */
    ignoredRetained: 0,
    /** messages longer than is looked at */
    oversized: 0,
    /** messages that are not of the form of their topic */
    malformed: 0,
    /** messages above the rate */
    tooMany: 0,
    /** requests that control did not answer */
    unanswered: 0,
    /** answers that were not sent because they were wanted on a topic where they may not go */
    responseTopicRefused: 0,
  };
  readonly #parts: RelayParts;
  readonly #commands: Allowance;
  readonly #challenges: Allowance;
  readonly #heartbeats: Allowance;
  readonly #events: Allowance;
  readonly #open: OpenChallenges;
  #pending = 0;
  #heartbeatPending = false;

  constructor(parts: RelayParts) {
    const { now } = parts;
    this.#parts = parts;
    this.#commands = new Allowance(COMMANDS_PER_SECOND, now);
    this.#challenges = new Allowance(CHALLENGES_PER_SECOND, now);
    this.#heartbeats = new Allowance(HEARTBEATS_PER_SECOND, now);
    this.#events = new Allowance(EVENTS_PER_SECOND, now);
    this.#open = new OpenChallenges(now);
  }

  /** For `Broker.onRequest`. Never throws and returns at once. */
  handle(message: InboundMessage): void {
    const { name, payload, retain } = message;
    if (retain) {
      this.counters.ignoredRetained += 1;
      this.#announce('ignored-retained', { topic: name });
      return;
    }
    if (payload.length > MAX_INBOUND_PAYLOAD) {
      this.counters.oversized += 1;
      const found = `${payload.length} bytes; at most ${MAX_INBOUND_PAYLOAD} are read`;
      this.#refuse(message, null, { code: 'oversized', message: found, remedy: 'send less' });
      return;
    }
    if (name === 'heartbeat') this.#heartbeat(message);
    else if (name === 'challenge') this.#challenge(message);
    else this.#command(message);
  }

  /** A heartbeat gets no answer. */
  #heartbeat({ payload }: InboundMessage): void {
    if (!this.#heartbeats.take()) {
      this.counters.tooMany += 1;
      return;
    }
    const parsed = parsePayload(heartbeatMessage, payload);
    if (!parsed.ok) {
      this.counters.malformed += 1;
      this.#announce('request-refused', {
        topic: 'heartbeat',
        reason: 'malformed-request',
        problem: parsed.problem,
      });
      return;
    }
    // One that comes while another is on its way adds nothing, and the next one will not be long.
    if (this.#heartbeatPending) return;
    this.#heartbeatPending = true;
    this.counters.relayed += 1;
    const { session, counter } = parsed.message;
    this.#ask({ request: 'heartbeat', session, counter }).then(
      () => {
        this.#heartbeatPending = false;
      },
      () => {
        this.#heartbeatPending = false;
        this.counters.unanswered += 1;
      },
    );
  }

  #challenge(message: InboundMessage): void {
    const parsed = parsePayload(challengeRequest, message.payload.length === 0 ? EMPTY : message.payload);
    if (!parsed.ok) {
      this.#malformed(message, parsed);
      return;
    }
    const id = parsed.message.id ?? null;
    if (this.#open.full || !this.#challenges.take()) {
      this.#tooMany(message, id);
      return;
    }
    this.#open.issued();
    this.#carry(message, id, { request: 'challenge' });
  }

  #command(message: InboundMessage): void {
    const parsed = parsePayload(commandRequest, message.payload);
    if (!parsed.ok) {
      this.#malformed(message, parsed);
      return;
    }
    const request = parsed.message;
    // Disarming is stopping: no limit but the one on what waits.
    const stopping = 'request' in request && request.request === 'disarm';
    if (!stopping && !this.#commands.take()) this.#tooMany(message, request.id);
    else if ('envelope' in request) {
      this.#carry(message, request.id, { request: 'command', envelope: request.envelope });
    } else this.#carry(message, request.id, { request: request.request });
  }

  #carry(message: InboundMessage, id: MessageId | null, request: Request): void {
    if (this.#pending >= MOST_PENDING) {
      this.#tooMany(message, id);
      return;
    }
    this.#pending += 1;
    this.counters.relayed += 1;
    this.#ask(request).then(
      (answer) => {
        this.#pending -= 1;
        if (answer.ok && request.request === 'command') this.#open.used();
        this.#answer(message, responseOf(id, answer));
      },
      (error: unknown) => {
        this.#pending -= 1;
        this.counters.unanswered += 1;
        this.#refuse(message, id, {
          code: 'control-silent',
          message: `control did not answer: ${messageOf(error)}`,
          remedy: 'see its log on the robot; if in doubt stop the robot or cut its power',
        });
      },
    );
  }

  /** A port that throws is one that rejects. */
  async #ask(request: RelayedRequest): Promise<Answer> {
    return await this.#parts.control.request(request);
  }

  #malformed(message: InboundMessage, { problem, value }: { problem: string; value: unknown }): void {
    this.counters.malformed += 1;
    const remedy = 'see docs/asyncapi.yaml for the messages';
    this.#refuse(message, idOf(value), { code: 'malformed-request', message: problem, remedy });
  }

  #tooMany(message: InboundMessage, id: MessageId | null): void {
    this.counters.tooMany += 1;
    this.#refuse(message, id, {
      code: 'too-many-requests',
      message: `more "${message.name}" messages than the robot answers`,
      remedy: 'wait a few seconds; the emergency stop has no such limit',
    });
  }

  #refuse(message: InboundMessage, id: MessageId | null, refusal: Refusal): void {
    this.#announce('request-refused', { topic: message.name, reason: refusal.code });
    this.#answer(message, { schema: MQTT_SCHEMA, id, ok: false, refusal });
  }

  #answer({ name, responseTopic, correlationData }: InboundMessage, response: CommandResponse): void {
    if (name === 'heartbeat') return;
    const { robot, respond } = this.#parts;
    const where = allowedResponseTopic(robot, responseTopic);
    if (where === undefined) {
      this.counters.responseTopicRefused += 1;
      this.#announce('response-topic-refused', { topic: name, wanted: String(responseTopic).slice(0, 128) });
      return;
    }
    const fits = correlationData !== undefined && correlationData.length <= LONGEST_CORRELATION;
    respond(where, response, fits ? correlationData : undefined);
  }

  /** For people; a flood of mistakes must not become a flood of events. */
  #announce(event: string, details: Record<string, unknown>): void {
    if (!this.#events.take()) return;
    this.#parts.event({ schema: MQTT_SCHEMA, event, at: this.#parts.wall(), ...details });
  }
}

const EMPTY = Buffer.from('{}');

/** The request's id, when its form is wrong but that much can be read. */
function idOf(value: unknown): MessageId | null {
  if (typeof value !== 'object' || value === null || !('id' in value)) return null;
  const { id } = value;
  if (typeof id === 'number') return id;
  return typeof id === 'string' && id.length <= 64 ? id : null;
}

/** Control's answer as the asker gets it: the asker's own id, and only what the topic's schema names. */
function responseOf(id: MessageId | null, answer: Answer): CommandResponse {
  const parsed = commandResponse.safeParse({ ...answer, schema: MQTT_SCHEMA, id });
  if (parsed.success) return parsed.data;
  const refusal = {
    code: 'control-not-understood',
    message: "control's answer is not of the form that this gateway knows",
    remedy: 'run control and gateway of one version',
  };
  return { schema: MQTT_SCHEMA, id, ok: false, refusal };
}
