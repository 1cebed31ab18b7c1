import { createHash } from 'node:crypto';
import { z } from 'zod';

/** What happened, before it has a place in the chain. */
export interface AuditRecord {
  /** run of control, drawn at random; the same as in its rows */
  readonly boot: string;
  /** wall clock [ms since 1970] */
  readonly wall: number;
  /** CLOCK_MONOTONIC [ms]: the order of things when the wall clock was set */
  readonly mono: number;
  readonly event: string;
  /** a key id, or whoever a stop says it is from; empty: control itself */
  readonly who: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** The end of a chain: number and hash of its last entry. Whoever has it can tell whether the chain was cut. */
export interface ChainHead {
  readonly index: number;
  readonly hash: string;
}

/** Before the first entry. */
export const NO_ENTRY: ChainHead = { index: -1, hash: '0'.repeat(64) };

/** Longest details of an entry, as JSON [characters]; longer ones are cut, and say so. */
export const LONGEST_DETAILS = 2000;

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);

const entrySchema = z.strictObject({
  index: z.int().nonnegative(),
  boot: z.string(),
  wall: z.string(),
  mono: z.number(),
  event: z.string(),
  who: z.string(),
  details: z.record(z.string(), z.unknown()),
  previous: hex64,
  hash: hex64,
});
export type AuditEntry = z.output<typeof entrySchema>;

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** The last key of a line; the hash is over all bytes before it. */
const TAIL = /,"hash":"([0-9a-f]{64})"\}$/;

/**
 * The line that follows a head, without its end of line. Its own hash is over its exact text up to `,"hash":`, which holds
 * the hash of the line before it.
 */
export function chainLine(head: ChainHead, record: AuditRecord): { readonly line: string; readonly head: ChainHead } {
  const index = head.index + 1;
  const { boot, wall, mono, event, who } = record;
  const body = JSON.stringify({
    index,
    boot,
    wall: timeText(wall),
    mono: Math.round(mono * 1000) / 1000,
    event,
    who,
    details: withinBounds(record.details),
    previous: head.hash,
  }).slice(0, -1);
  const hash = sha256(body);
  return { line: `${body},"hash":"${hash}"}`, head: { index, hash } };
}

/** An entry whose own hash is right, or why the text is none. Never throws. */
export function readLine(text: string): AuditEntry | 'not-an-entry' | 'hash-wrong' {
  const tail = TAIL.exec(text);
  if (!tail) return 'not-an-entry';
  if (sha256(text.slice(0, tail.index)) !== tail[1]) return 'hash-wrong';
  try {
    return entrySchema.safeParse(JSON.parse(text)).data ?? 'not-an-entry';
  } catch {
    return 'not-an-entry';
  }
}

/** `INDEX:HASH`, as status and MQTT state give it. */
export const headText = ({ index, hash }: ChainHead): string => `${index}:${hash}`;

/** The other way round; `undefined` when the text is no head. */
export function parseHead(text: string): ChainHead | undefined {
  const found = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text);
  return found ? { index: Number(found[1]), hash: found[2] ?? '' } : undefined;
}

/** A wall clock may be set to anything. */
function timeText(wall: number): string {
  const date = new Date(wall);
  return Number.isNaN(date.getTime()) ? `${wall}` : date.toISOString();
}

function withinBounds(details: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  try {
    const text = JSON.stringify(details);
    return text.length <= LONGEST_DETAILS ? details : { cut: text.length, text: text.slice(0, LONGEST_DETAILS / 2) };
  } catch (error) {
    return { unwritable: String(error).slice(0, 200) };
  }
}
