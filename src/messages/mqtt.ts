import { z } from 'zod';
import { EdgeError } from '../errors.ts';
import {
  challengeRequest,
  commandRequest,
  commandResponse,
  estopMessage,
  estopStageEvent,
  eventMessage,
  heartbeatMessage,
  stateMessage,
  telemetryMessage,
} from './mqtt-payloads.ts';

export * from './mqtt-payloads.ts';

/** One topic: everything that a client has to know of it. `docs/asyncapi.yaml` is made from these rows. */
export interface MqttTopic {
  /** what follows `h2o/v1/{robot}/` */
  readonly path: string;
  readonly direction: 'to-robot' | 'from-robot';
  /** which of the robot's processes is at this end */
  readonly process: 'control' | 'gateway' | 'gateway and control';
  /** with which it is published */
  readonly qos: 0 | 1;
  /** whether it is published retained; `ignored`: retained messages are not acted on */
  readonly retain: 'yes' | 'no' | 'ignored' | 'obeyed';
  readonly payload: z.ZodType;
  readonly doc: string;
}

/** Every topic of one robot. */
export const MQTT_TOPICS = {
  estop: {
    path: 'estop',
    direction: 'to-robot',
    process: 'control',
    qos: 1,
    retain: 'obeyed',
    payload: estopMessage,
    doc: 'Emergency stop: torque off at once, latched; the robot falls. Any message stops, whatever its payload, QoS and retain flag, except an empty retained one, with which a broker clears its copy. No signature. A retained stop stops again at every connection of the robot until it is cleared.',
  },
  challenge: {
    path: 'challenge',
    direction: 'to-robot',
    process: 'gateway',
    qos: 1,
    retain: 'ignored',
    payload: challengeRequest,
    doc: 'Asks for a one-time challenge, to be repeated in one signed command within the time that the answer names. The answer goes to the response topic of the message, with its correlation data. No stop or disarming, by anybody, may lie between the challenge and its command: it would be unknown by then.',
  },
  command: {
    path: 'command',
    direction: 'to-robot',
    process: 'gateway',
    qos: 1,
    retain: 'ignored',
    payload: commandRequest,
    doc: 'A signed command (mode, reset, …), or an unsigned request (status, disarm). To give a command, ask on `challenge`, make the text of `envelope.payload` with the challenge in it, sign that text with the private key of an operator whom the robot trusts, and publish the envelope here; the answer says `ok`, or why not. Set a message expiry of a few seconds.',
  },
  response: {
    path: 'command/response',
    direction: 'from-robot',
    process: 'gateway',
    qos: 1,
    retain: 'no',
    payload: commandResponse,
    doc: 'Answers to `challenge` and `command`. A client may name `command/response/{word}` as its response topic instead, a word being up to 64 letters, digits, "-" and "_"; no other is written to.',
  },
  heartbeat: {
    path: 'heartbeat',
    direction: 'to-robot',
    process: 'gateway',
    qos: 0,
    retain: 'ignored',
    payload: heartbeatMessage,
    doc: 'The operator is still there. A moving robot that hears none of its session for `operatorHeartbeat` of its configuration (1 s by default) holds, and moves again only after another signed mode: send several a second, beginning right after the mode command.',
  },
  state: {
    path: 'state',
    direction: 'from-robot',
    process: 'gateway',
    qos: 1,
    retain: 'yes',
    payload: stateMessage,
    doc: 'What the robot does and why it does not do what was asked: at every change and every 2 s. The last will says `online: false`.',
  },
  event: {
    path: 'event',
    direction: 'from-robot',
    process: 'gateway and control',
    qos: 1,
    retain: 'no',
    payload: z.union([estopStageEvent, eventMessage]),
    doc: 'What happened: state changes, refusals, and the stages of an emergency stop (`estop-stage`), which control publishes itself.',
  },
  telemetry: {
    path: 'telemetry',
    direction: 'from-robot',
    process: 'gateway',
    qos: 0,
    retain: 'no',
    payload: telemetryMessage,
    doc: 'Numbers for plots, at 20 Hz by the clock of the motor controller. Never sent again when it is lost.',
  },
} as const satisfies Record<string, MqttTopic>;

export type TopicName = keyof typeof MQTT_TOPICS;

const ROBOT_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;

/**
 * The full topic of one robot.
 * @throws EdgeError `usage` when that is no name of a robot: a wildcard in it would mean every robot
 */
export function topic(robot: string, name: TopicName): string {
  if (!ROBOT_NAME.test(robot)) {
    throw new EdgeError(
      'usage',
      `"${robot}" is no name of a robot`,
      'use lower case letters, digits and "-", at most 32, as in `name` of its configuration',
    );
  }
  return `h2o/v1/${robot}/${MQTT_TOPICS[name].path}`;
}

/**
 * Where an answer may go: `command/response` of this very robot, or one word below it. Otherwise anybody who may ask
 * could make the robot publish wherever the robot may: on `estop` of another, or over its own state.
 * @returns the topic, or `undefined` when it is not allowed
 */
export function allowedResponseTopic(robot: string, wanted: string | undefined): string | undefined {
  const base = topic(robot, 'response');
  if (wanted === undefined || wanted === base) return base;
  const word = wanted.startsWith(`${base}/`) ? wanted.slice(base.length + 1) : '';
  return /^[A-Za-z0-9_-]{1,64}$/.test(word) ? wanted : undefined;
}

/** JSON of an inbound payload as one of the schemas, or why it is none. Never throws. */
export function parsePayload<S extends z.ZodType>(
  schema: S,
  payload: Uint8Array,
): { ok: true; message: z.output<S> } | { ok: false; problem: string; value: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8'));
  } catch {
    return { ok: false, problem: 'not JSON', value: undefined };
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, message: parsed.data };
  return { ok: false, problem: describeIssues(parsed.error.issues, value), value };
}

/** What is wrong, in words. Of a union, with the alternative that comes nearest. */
function describeIssues(issues: readonly z.core.$ZodIssue[], value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not a JSON object';
  return issues
    .slice(0, 3)
    .map((issue) => {
      const nearest =
        issue.code === 'invalid_union' ? issue.errors.toSorted((a, b) => a.length - b.length)[0] : undefined;
      return nearest ? describeIssues(nearest, value) : `${issue.path.join('.') || 'payload'}: ${issue.message}`;
    })
    .join('; ');
}
