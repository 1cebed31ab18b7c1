import { z } from 'zod';
import { EdgeError } from '../errors.ts';
import {
  datasetAcknowledge,
  datasetChunkProperties,
  datasetClaim,
  datasetOffer,
  datasetStatus,
} from './mqtt-dataset.ts';
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
import { policyChunkHeader, policyOffer, policyStatus, policyWant } from './mqtt-policy.ts';
import { trainerOrder, trainerResponse, trainerResult, trainerState } from './mqtt-trainer.ts';

export * from './mqtt-dataset.ts';
export * from './mqtt-payloads.ts';
export * from './mqtt-policy.ts';
export * from './mqtt-trainer.ts';

/**
 * One topic: everything that a client has to know of it. `docs/asyncapi.yaml` and the brokers' access lists are made from
 * these rows.
 */
export interface MqttTopic {
  /** what follows `h2o/v1/{robot}/`, or `h2o/v1/trainer/{trainer}/`, where it may hold a `{robot}` */
  readonly path: string;
  /** seen from whose tree it stands in */
  readonly direction: 'to-robot' | 'from-robot' | 'to-trainer' | 'from-trainer';
  /** which process is at the end that owns the tree */
  readonly process: 'control' | 'gateway' | 'gateway and control' | 'trainer';
  /** who is at the other end: says what goes there, reads what comes from there. Operators read everything anyway */
  readonly others: readonly ('operator' | 'trainer' | 'robot')[];
  /** with which it is published */
  readonly qos: 0 | 1;
  /** whether it is published retained; `ignored`: retained messages are not acted on */
  readonly retain: 'yes' | 'no' | 'ignored' | 'obeyed';
  /** JSON of this shape; `raw`: bytes, described by `userProperties` */
  readonly payload: z.ZodType | 'raw';
  /** MQTT 5 user properties that go with the payload */
  readonly userProperties?: z.ZodObject;
  /** row on which it is answered: on that topic, or one word below it */
  readonly answer?: string;
  readonly doc: string;
}

/** Every topic of a robot and of a trainer. */
export const MQTT_TOPICS = {
  estop: {
    path: 'estop',
    direction: 'to-robot',
    process: 'control',
    others: ['operator'],
    qos: 1,
    retain: 'obeyed',
    payload: estopMessage,
    doc: 'Emergency stop: torque off at once, latched; the robot falls. Any message stops, whatever its payload, QoS and retain flag, except an empty retained one, with which a broker clears its copy. No signature. A retained stop stops again at every connection of the robot until it is cleared.',
  },
  challenge: {
    path: 'challenge',
    direction: 'to-robot',
    process: 'gateway',
    others: ['operator'],
    qos: 1,
    retain: 'ignored',
    payload: challengeRequest,
    answer: 'response',
    doc: 'Asks for a one-time challenge, to be repeated in one signed command within the time that the answer names. The answer goes to the response topic of the message, with its correlation data. No stop or disarming, by anybody, may lie between the challenge and its command: it would be unknown by then.',
  },
  command: {
    path: 'command',
    direction: 'to-robot',
    process: 'gateway',
    others: ['operator'],
    qos: 1,
    retain: 'ignored',
    payload: commandRequest,
    answer: 'response',
    doc: 'A signed command (mode, reset, …), or an unsigned request (status, disarm). To give a command, ask on `challenge`, make the text of `envelope.payload` with the challenge in it, sign that text with the private key of an operator whom the robot trusts, and publish the envelope here; the answer says `ok`, or why not. Set a message expiry of a few seconds.',
  },
  response: {
    path: 'command/response',
    direction: 'from-robot',
    process: 'gateway',
    others: ['operator'],
    qos: 1,
    retain: 'no',
    payload: commandResponse,
    doc: 'Answers to `challenge` and `command`. A client may name `command/response/{word}` as its response topic instead, a word being up to 64 letters, digits, "-" and "_"; no other is written to.',
  },
  heartbeat: {
    path: 'heartbeat',
    direction: 'to-robot',
    process: 'gateway',
    others: ['operator'],
    qos: 0,
    retain: 'ignored',
    payload: heartbeatMessage,
    doc: 'The operator is still there. A moving robot that hears none of its session for `operatorHeartbeat` of its configuration (1 s by default) holds, and moves again only after another signed mode: send several a second, beginning right after the mode command.',
  },
  state: {
    path: 'state',
    direction: 'from-robot',
    process: 'gateway',
    others: ['operator', 'trainer'],
    qos: 1,
    retain: 'yes',
    payload: stateMessage,
    doc: 'What the robot does and why it does not do what was asked: at every change and every 2 s. The last will says `online: false`.',
  },
  event: {
    path: 'event',
    direction: 'from-robot',
    process: 'gateway and control',
    others: ['operator', 'trainer'],
    qos: 1,
    retain: 'no',
    payload: z.union([estopStageEvent, eventMessage]),
    doc: 'What happened: state changes, refusals, and the stages of an emergency stop (`estop-stage`), which control publishes itself.',
  },
  telemetry: {
    path: 'telemetry',
    direction: 'from-robot',
    process: 'gateway',
    others: ['operator', 'trainer'],
    qos: 0,
    retain: 'no',
    payload: telemetryMessage,
    doc: 'Numbers for plots, at 20 Hz by the clock of the motor controller. Never sent again when it is lost.',
  },
  datasetOffer: {
    path: 'dataset/offer',
    direction: 'from-robot',
    process: 'gateway',
    others: ['trainer'],
    qos: 1,
    retain: 'no',
    payload: datasetOffer,
    doc: 'A sealed segment that nobody has acknowledged, oldest first. Offered while a trainer is online, again and again until one claims it. Trainers share the offers: `$share/trainers/h2o/v1/+/dataset/offer`.',
  },
  datasetClaim: {
    path: 'dataset/claim',
    direction: 'to-robot',
    process: 'gateway',
    others: ['trainer'],
    qos: 1,
    retain: 'ignored',
    payload: datasetClaim,
    doc: "A trainer wants the segment that is offered, or goes on wanting it. The robot sends the chunks that are missing to one trainer at a time, and stops when its claim expires. Renewed after every few chunks, since at most 16 are sent ahead of the trainer's word, and when nothing came for a while: what had been sent before the last but one claim and is still missing is sent again.",
  },
  datasetChunk: {
    path: 'dataset/{robot}/chunk',
    direction: 'to-trainer',
    process: 'trainer',
    others: ['robot'],
    qos: 1,
    retain: 'no',
    payload: 'raw',
    userProperties: datasetChunkProperties,
    doc: 'A piece of a segment that this trainer has claimed. It may come twice, late, or not at all.',
  },
  datasetAcknowledge: {
    path: 'dataset/acknowledge',
    direction: 'to-robot',
    process: 'gateway',
    others: ['trainer'],
    qos: 1,
    retain: 'ignored',
    payload: datasetAcknowledge,
    doc: 'The trainer has the segment: its SHA-256 is right, it reads as a whole, and it is on the medium. From now on the robot may give it up by its own rules. Also the answer to an offer of what the trainer has already.',
  },
  datasetStatus: {
    path: 'dataset/status',
    direction: 'from-robot',
    process: 'gateway',
    others: ['operator', 'trainer'],
    qos: 1,
    retain: 'yes',
    payload: datasetStatus,
    doc: 'What waits to be uploaded, what is sent, what was acknowledged last, and why nothing moves.',
  },
  trainerState: {
    path: 'state',
    direction: 'from-trainer',
    process: 'trainer',
    others: ['robot', 'operator'],
    qos: 1,
    retain: 'yes',
    payload: trainerState,
    doc: 'What a trainer does, what data it has, which policies it offers and what robots say of them: at every change, and every few seconds while it works. Robots offer nothing while no trainer is online. The last will says `online: false`.',
  },
  policyOffer: {
    path: 'policy/offer',
    direction: 'to-robot',
    process: 'gateway',
    others: ['operator', 'trainer'],
    qos: 1,
    retain: 'obeyed',
    payload: policyOffer,
    doc: 'A signed policy that the robot may have. Retained, so that a robot that was away hears of it; the topic holds one, so whoever offers says it again when the robot comes back. A repeated or old one does no harm: the signature and the rising version decide.',
  },
  policyWant: {
    path: 'policy/want',
    direction: 'from-robot',
    process: 'gateway',
    others: ['operator', 'trainer'],
    qos: 1,
    retain: 'no',
    payload: policyWant,
    doc: 'Asks who offered a policy for the chunks of its model that are missing: at the start, and again when none came for a while.',
  },
  policyChunk: {
    path: 'policy/chunk',
    direction: 'to-robot',
    process: 'gateway',
    others: ['operator', 'trainer'],
    qos: 1,
    retain: 'ignored',
    payload: 'raw',
    userProperties: policyChunkHeader,
    doc: 'A piece of a model that the robot wants. It may come twice, late, or not at all.',
  },
  policyStatus: {
    path: 'policy/status',
    direction: 'from-robot',
    process: 'gateway',
    others: ['operator', 'trainer'],
    qos: 1,
    retain: 'yes',
    payload: policyStatus,
    doc: 'Every version of every policy that the robot knows: how far it came, and why it was refused or rolled back.',
  },
  trainerResult: {
    path: 'result',
    direction: 'from-trainer',
    process: 'trainer',
    others: [],
    qos: 1,
    retain: 'yes',
    payload: trainerResult,
    doc: 'How the last job ended: its data, how the gate judged, and what was published and to whom it is offered.',
  },
  trainerOrder: {
    path: 'order',
    direction: 'to-trainer',
    process: 'trainer',
    others: ['operator'],
    qos: 1,
    retain: 'ignored',
    payload: trainerOrder,
    answer: 'trainerResponse',
    doc: 'Train a task now, cancel its job, or offer a policy once more. Unsigned: nothing that comes of it moves a robot without passing the gate, the signature, and the robot.',
  },
  trainerResponse: {
    path: 'response',
    direction: 'from-trainer',
    process: 'trainer',
    others: [],
    qos: 1,
    retain: 'no',
    payload: trainerResponse,
    doc: 'Answers to `order`. A client may name `response/{word}` as its response topic instead; no other is written to.',
  },
} as const satisfies Record<string, MqttTopic>;

type Rows = typeof MQTT_TOPICS;
/** Rows of a robot's own tree. */
export type TopicName = {
  [Name in keyof Rows]: Rows[Name]['direction'] extends 'to-robot' | 'from-robot' ? Name : never;
}[keyof Rows];
/** Rows of a trainer's tree. */
export type TrainerTopicName = Exclude<keyof Rows, TopicName>;

/** Whose tree a row stands in. */
export const treeOf = ({ direction }: MqttTopic): 'robot' | 'trainer' =>
  direction === 'to-trainer' || direction === 'from-trainer' ? 'trainer' : 'robot';

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
 * The full topic of one trainer; `robot` where the path has one.
 * @throws EdgeError `usage` when that is no name of a trainer or robot
 */
export function trainerTopic(trainer: string, name: TrainerTopicName, robot?: string): string {
  const path: string = MQTT_TOPICS[name].path;
  const wrong = [trainer, ...(path.includes('{robot}') ? [robot ?? ''] : [])].find((one) => !ROBOT_NAME.test(one));
  if (wrong !== undefined) {
    throw new EdgeError('usage', `"${wrong}" is no name`, 'use lower case letters, digits and "-", at most 32');
  }
  return `h2o/v1/trainer/${trainer}/${path.replace('{robot}', robot ?? '')}`;
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

/** As `allowedResponseTopic`, of a trainer. */
export function allowedTrainerResponse(trainer: string, wanted: string | undefined): string | undefined {
  const base = trainerTopic(trainer, 'trainerResponse');
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
