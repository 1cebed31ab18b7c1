import type { McapTypes } from '@mcap/core';
import type { TapeBlock } from '../messages/tape-block.ts';
import { cdrOf } from './cdr.ts';
import type { RowKey } from './row-key.ts';
import { TRANSITION_SCHEMA, TRANSITION_SCHEMA_NAME } from './transition-schema.ts';

/** What stands in a segment: three channels, each with the schema that lets a stranger read it. */

/** Messages that are committed together: a chunk is closed at this size, or 250 ms after its first message [bytes]. */
export const CHUNK_BYTES = 65_536;

export const TRANSITION_TOPIC = '/transition';
export const EVENT_TOPIC = '/event';
export const TAPE_TOPIC = '/tape';

const TRANSITION_ID = 1;
const EVENT_ID = 2;
const TAPE_ID = 3;

const text = new TextEncoder();

/** Laid out as `encodeTapeBlock` does it. */
const TAPE_SCHEMA = [
  '# What control heard and did: from it `h2o-edge replay` computes every command again. Records: src/messages/tape.ts.',
  'uint64 boot',
  'uint64 number',
  'uint64 wall_ns',
  'uint64 sequence',
  'uint8[] records',
  '',
].join('\n');

const eventSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'h2o_edge.Event',
  type: 'object',
  properties: { event: { type: 'string' } },
};

export const SCHEMAS: readonly McapTypes.Schema[] = [
  { id: TRANSITION_ID, name: TRANSITION_SCHEMA_NAME, encoding: 'ros2msg', data: text.encode(TRANSITION_SCHEMA) },
  { id: EVENT_ID, name: 'h2o_edge.Event', encoding: 'jsonschema', data: text.encode(JSON.stringify(eventSchema)) },
  { id: TAPE_ID, name: 'h2o_edge/msg/Tape', encoding: 'ros2msg', data: text.encode(TAPE_SCHEMA) },
];

export const CHANNELS: readonly McapTypes.Channel[] = [
  { id: TRANSITION_ID, schemaId: TRANSITION_ID, topic: TRANSITION_TOPIC, messageEncoding: 'cdr', metadata: new Map() },
  { id: EVENT_ID, schemaId: EVENT_ID, topic: EVENT_TOPIC, messageEncoding: 'json', metadata: new Map() },
  { id: TAPE_ID, schemaId: TAPE_ID, topic: TAPE_TOPIC, messageEncoding: 'cdr', metadata: new Map() },
];

/** A row as a message. MCAP numbers messages with 32 bits; the row itself carries all 64. */
export const transitionMessage = (row: Uint8Array, key: RowKey, wallNs: bigint): McapTypes.Message => ({
  channelId: TRANSITION_ID,
  sequence: Number(key.sequence & 0xffffffffn),
  logTime: wallNs,
  publishTime: wallNs,
  data: cdrOf(row),
});

/** A block of the tape as a message. */
export const tapeMessage = (bytes: Uint8Array, { number, wallNs }: TapeBlock): McapTypes.Message => ({
  channelId: TAPE_ID,
  sequence: Number(number & 0xffffffffn),
  logTime: wallNs,
  publishTime: wallNs,
  data: cdrOf(bytes),
});

/** Longest event that is stored [bytes of JSON]. */
export const MAX_EVENT = 16_384;

const jsonOf = (event: object): string | undefined => {
  try {
    return JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  } catch {
    return undefined;
  }
};

/**
 * An event as a message; 64-bit numbers become decimal strings, which JSON readers do not round.
 * @returns `undefined` when it cannot be written as JSON
 */
export function eventMessage(event: object, sequence: number, wallNs: bigint): McapTypes.Message | undefined {
  const json = jsonOf(event);
  if (json === undefined) return undefined;
  const data = text.encode(json);
  return {
    channelId: EVENT_ID,
    sequence: sequence >>> 0,
    logTime: wallNs,
    publishTime: wallNs,
    data: data.length <= MAX_EVENT ? data : text.encode(JSON.stringify({ event: 'oversized', bytes: data.length })),
  };
}

/** Rows that are not in the record, and why. `after` is the last row before them. */
export interface Gap {
  readonly reason: string;
  /** how many; 0 when nobody knows */
  readonly rows: number;
  readonly after?: RowKey | undefined;
}

/** A gap as an event. The boot is written as in the names of segments. */
export const gapEvent = ({ reason, rows, after }: Gap): object => ({
  event: 'gap',
  reason,
  rows,
  ...(after && { boot: bootText(after.boot), after: String(after.sequence) }),
});

export const bootText = (boot: bigint): string => boot.toString(16).padStart(16, '0');

/** What a message takes up in a chunk [bytes]: record header, channel, number, two times, data. */
export const sizeOf = (message: McapTypes.Message): number => 31 + message.data.length;

/** The object in an event, or `undefined` when it is none. */
export function parseEvent(message: McapTypes.Message): Record<string, unknown> | undefined {
  try {
    const event: unknown = JSON.parse(new TextDecoder().decode(message.data));
    return typeof event === 'object' && event !== null ? { ...event } : undefined;
  } catch {
    return undefined;
  }
}
