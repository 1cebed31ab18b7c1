import { z } from 'zod';
import { decodePayload, encodePayload, MAX_PAYLOAD, PAYLOAD_SIZE, type Sensors } from '../protocol/messages.gen.ts';
import { robotSchema } from '../robot/robot.ts';
import { modeSchema } from './mode.ts';
import { type TapeBytes, TapeCursor, TapeDamage } from './tape-bytes.ts';

/**
 * Records of a tape, in the order in which things happened: from them the control loop can be run again, bit for bit. What
 * the loop computes is not on it; what it was told, and how long it took, is.
 */
export type TapeRecord =
  | { readonly is: 'run'; readonly run: TapedRun }
  | { readonly is: 'state'; readonly state: Uint8Array }
  | { readonly is: 'chunk'; readonly frames: readonly TapedFrame[] }
  | { readonly is: 'facts'; readonly facts: Readonly<Record<string, TapedValue>> }
  | { readonly is: 'order'; readonly order: TapedOrder }
  | { readonly is: 'answer'; readonly answer: TapedAnswer };

const KIND = { run: 1, state: 2, chunk: 3, facts: 4, order: 5, answer: 6 } as const;

/** A fact that comes from outside the loop. */
export type TapedValue = number | string | boolean;

/** Numbers of the robot alone; a tape does not care where its files lay. */
const robotNumbers = z.looseObject(
  Object.fromEntries(Object.keys(robotSchema.shape).map((key) => [key, z.unknown()])) as Record<string, z.ZodUnknown>,
);

/** The beginning of a run of control. */
export const runSchema = z.object({
  /** version of the software */
  revision: z.string(),
  /** the robot file's numbers, as control has them */
  robot: robotNumbers,
  /** sha256 of the model of each policy, its first 16 hexadecimal digits, by id */
  policies: z.record(z.string(), z.string()),
  /** it was stopped before it began */
  latched: z.boolean(),
});
export type TapedRun = z.output<typeof runSchema>;

/** What changes the loop between two frames. */
export const orderSchema = z.discriminatedUnion('order', [
  z.object({ order: z.literal('estop'), source: z.string() }),
  z.object({ order: z.literal('disarm') }),
  z.object({ order: z.literal('mode'), mode: modeSchema, session: z.string().optional() }),
  z.object({ order: z.literal('reset') }),
  /** the balancer was designed for this rate [Hz] */
  z.object({ order: z.literal('prepare'), sensorRate: z.number() }),
  /** the link or the session is gone: the table was looked at without a frame */
  z.object({ order: z.literal('interrupted') }),
  z.object({ order: z.literal('silent') }),
  /** the policy of this id is this one now: sha256 of its model as in `TapedRun`, empty where there is none any more */
  z.object({ order: z.literal('policy'), id: z.string(), hash: z.string() }),
]);
export type TapedOrder = z.output<typeof orderSchema>;

/** One `sensors` frame, and what the decoder found out about it. */
export interface TapedFrame {
  /** as on the wire */
  readonly payload: Uint8Array;
  /** unwrapped */
  readonly sequence: number;
  /** [µs], unwrapped */
  readonly mcuTimeUs: number;
  /** [ns], the host's monotonic clock */
  readonly arrivedNs: bigint;
  readonly lost: number;
  readonly first: boolean;
  readonly superseded: boolean;
}

/** What came of a frame, and how long it took. */
export interface TapedAnswer {
  /** arrival of the frame to the write of the command [ns] */
  readonly latencyNs: number;
  /** how long the policy ran for it; `undefined` if it did not [ns] */
  readonly policyNs: number | undefined;
  /** the whole command went out */
  readonly written: boolean;
  /** payload of the command, as on the wire */
  readonly command: Uint8Array;
}

const FIRST = 1;
const SUPERSEDED = 2;
const LOST = 4;
const ABSOLUTE = 8;
const WRITTEN = 1;
const RAN = 2;

/** What numbers are counted from; the writer's and the reader's go through the same changes. */
export class TapePosition {
  sequence = 0;
  mcuTimeUs = 0;
  arrivedNs: bigint | undefined;
  /** steps of the times from the frame before to that one: the next ones are about the same */
  mcuTimeStep = 0;
  arrivedStep = 0;
  readonly sensors = new Uint8Array(PAYLOAD_SIZE.sensors);
  readonly command = new Uint8Array(PAYLOAD_SIZE.command);

  /** A block can be read without those before it. */
  reset(): void {
    this.sequence = 0;
    this.mcuTimeUs = 0;
    this.arrivedNs = undefined;
    this.mcuTimeStep = 0;
    this.arrivedStep = 0;
    this.sensors.fill(0);
    this.command.fill(0);
  }
}

const scratch = new Uint8Array(MAX_PAYLOAD);
const scratchView = new DataView(scratch.buffer);

/** Payload of a message, as on the wire; valid until the next call. */
export function payloadOf(message: Parameters<typeof encodePayload>[0]): Uint8Array {
  return scratch.subarray(0, encodePayload(message, scratchView, 0));
}

/** @throws TapeDamage when it is none */
export function sensorsOf(payload: Uint8Array): Sensors {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const message = payload.length === PAYLOAD_SIZE.sensors ? decodePayload('sensors', view, 0) : undefined;
  if (message?.kind !== 'sensors') throw new TapeDamage('a sensor frame that cannot be read');
  return message;
}

export function writeText(to: TapeBytes, is: 'run' | 'order' | 'facts', value: object): void {
  to.u8(KIND[is]);
  // JSON has no numbers that are none.
  to.text(
    JSON.stringify(value, (_, inner) => (typeof inner === 'number' && !Number.isFinite(inner) ? `#${inner}` : inner)),
  );
}

export function writeState(to: TapeBytes, state: Uint8Array): void {
  to.u8(KIND.state);
  to.unsigned(state.length);
  to.raw(state);
}

/** So many frames follow that came together. */
export function beginChunk(to: TapeBytes, frames: number): void {
  to.u8(KIND.chunk);
  to.unsigned(frames);
}

/** @param payload as on the wire */
export function writeFrame(
  to: TapeBytes,
  at: TapePosition,
  frame: Omit<TapedFrame, 'payload'>,
  payload: Uint8Array,
): void {
  const { first, superseded, lost } = frame;
  const absolute = at.arrivedNs === undefined ? ABSOLUTE : 0;
  to.u8((first ? FIRST : 0) | (superseded ? SUPERSEDED : 0) | (lost > 0 ? LOST : 0) | absolute);
  if (lost > 0) to.unsigned(lost);
  to.signed(frame.sequence - at.sequence);
  const mcuTimeStep = frame.mcuTimeUs - at.mcuTimeUs;
  to.signed(mcuTimeStep - at.mcuTimeStep);
  if (at.arrivedNs === undefined) to.u64(frame.arrivedNs);
  else {
    const arrivedStep = Number(frame.arrivedNs - at.arrivedNs);
    to.signed(arrivedStep - at.arrivedStep);
    at.arrivedStep = arrivedStep;
    at.mcuTimeStep = mcuTimeStep;
  }
  writeChanges(to, at.sensors, payload);
  at.sequence = frame.sequence;
  at.mcuTimeUs = frame.mcuTimeUs;
  at.arrivedNs = frame.arrivedNs;
}

export function writeAnswer(to: TapeBytes, at: TapePosition, answer: TapedAnswer): void {
  const { latencyNs, policyNs, written, command } = answer;
  to.u8(KIND.answer);
  to.u8((written ? WRITTEN : 0) | (policyNs === undefined ? 0 : RAN));
  to.signed(latencyNs);
  if (policyNs !== undefined) to.signed(policyNs);
  writeChanges(to, at.command, command);
}

/** Bytes that differ from those before, behind a mask of one bit for each: sensors move in their low bytes, legs hardly ever. */
function writeChanges(to: TapeBytes, before: Uint8Array, now: Uint8Array): void {
  for (let start = 0; start < before.length; start += 8) {
    let mask = 0;
    for (let index = start; index < start + 8 && index < before.length; index++) {
      if (now[index] !== before[index]) mask |= 1 << (index - start);
    }
    to.u8(mask);
  }
  for (let index = 0; index < before.length; index++) {
    const byte = now[index] ?? 0;
    if (byte === before[index]) continue;
    to.u8(byte);
    before[index] = byte;
  }
}

/** @returns a copy of what `before` has become */
function readChanges(from: TapeCursor, before: Uint8Array): Uint8Array {
  const masks = from.raw(Math.ceil(before.length / 8));
  for (let index = 0; index < before.length; index++) {
    if (((masks[index >>> 3] ?? 0) >>> (index & 7)) & 1) before[index] = from.u8();
  }
  return before.slice();
}

/**
 * The records of a block.
 * @throws TapeDamage
 */
export function* readRecords(records: Uint8Array): Generator<TapeRecord> {
  const from = new TapeCursor(records);
  const at = new TapePosition();
  while (!from.done) {
    const kind = from.u8();
    if (kind === KIND.chunk) yield { is: 'chunk', frames: readChunk(from, at) };
    else if (kind === KIND.answer) yield { is: 'answer', answer: readAnswer(from, at) };
    else if (kind === KIND.facts) yield { is: 'facts', facts: readFacts(from) };
    else if (kind === KIND.order) yield { is: 'order', order: parsed(orderSchema, from) };
    else if (kind === KIND.run) yield { is: 'run', run: parsed(runSchema, from) };
    else if (kind === KIND.state) yield { is: 'state', state: from.raw(from.unsigned()) };
    else throw new TapeDamage(`a record of kind ${kind}`);
  }
}

function readChunk(from: TapeCursor, at: TapePosition): TapedFrame[] {
  const frames: TapedFrame[] = [];
  for (let left = from.unsigned(); left > 0; left--) {
    const flags = from.u8();
    const lost = flags & LOST ? from.unsigned() : 0;
    at.sequence += from.signed();
    const mcuTimeStep = at.mcuTimeStep + from.signed();
    at.mcuTimeUs += mcuTimeStep;
    let arrivedNs: bigint;
    if (flags & ABSOLUTE) arrivedNs = from.u64();
    else {
      at.arrivedStep += from.signed();
      at.mcuTimeStep = mcuTimeStep;
      arrivedNs = (at.arrivedNs ?? 0n) + BigInt(at.arrivedStep);
    }
    at.arrivedNs = arrivedNs;
    frames.push({
      payload: readChanges(from, at.sensors),
      sequence: at.sequence,
      mcuTimeUs: at.mcuTimeUs,
      arrivedNs,
      lost,
      first: (flags & FIRST) !== 0,
      superseded: (flags & SUPERSEDED) !== 0,
    });
  }
  return frames;
}

function readAnswer(from: TapeCursor, at: TapePosition): TapedAnswer {
  const flags = from.u8();
  const latencyNs = from.signed();
  const policyNs = flags & RAN ? from.signed() : undefined;
  return { latencyNs, policyNs, written: (flags & WRITTEN) !== 0, command: readChanges(from, at.command) };
}

const factsSchema = z.record(z.string(), z.union([z.number(), z.string(), z.boolean()]));

function readFacts(from: TapeCursor): Record<string, TapedValue> {
  const facts = parsed(factsSchema, from);
  for (const [key, value] of Object.entries(facts)) {
    if (typeof value === 'string' && value.startsWith('#')) facts[key] = Number(value.slice(1));
  }
  return facts;
}

function parsed<T>(schema: z.ZodType<T>, from: TapeCursor): T {
  const text = from.text();
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new TapeDamage(`a record that says ${text.slice(0, 80)}`);
  }
}
