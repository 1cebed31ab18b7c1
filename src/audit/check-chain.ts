import { type AuditEntry, type ChainHead, NO_ENTRY, readLine } from './chain.ts';

/** What was done to a line. `truncated` and what was rewritten as a whole can only be told with a head from elsewhere. */
export type Damage = 'edited' | 'removed' | 'inserted' | 'reordered' | 'truncated';

/** A line and where it stands. */
export interface AuditLine {
  readonly file: string;
  /** from 1 */
  readonly number: number;
  readonly text: string;
}

export interface ChainProblem {
  readonly damage: Damage;
  readonly file: string;
  readonly line: number;
  readonly says: string;
}

export interface ChainReport {
  readonly ok: boolean;
  readonly entries: number;
  /** first entry that is there; earlier ones were given up by rotation */
  readonly first: number | undefined;
  readonly head: ChainHead | undefined;
  /** torn ends that control cut off at a start, with an entry each */
  readonly repairs: number;
  /** entries that the disk was too slow for, by the entries that count them */
  readonly dropped: number;
  /** the first bad line; `undefined` if there is none */
  readonly problem: ChainProblem | undefined;
}

/** Event of the entry that says which earlier ones were given up; its `through` and `hash` are their last. */
export const PRUNED = 'audit-pruned';
export const REPAIRED = 'audit-repaired';
export const DROPPED = 'audit-dropped';

/**
 * Follows a chain from its first line to its last.
 * @param lines of all files, oldest first
 * @param published a head that somebody else has kept
 */
export function checkChain(lines: readonly AuditLine[], published?: ChainHead): ChainReport {
  const read = lines.map((line) => ({ line, entry: readLine(line.text) }));
  const entries = read.flatMap(({ entry }) => (typeof entry === 'string' ? [] : [entry]));
  const first = entries[0];
  const last = entries.at(-1);
  const problem = firstBadLine(read, entries) ?? headMismatch(lines, entries, published);
  return {
    ok: problem === undefined,
    entries: entries.length,
    first: first?.index,
    head: last && { index: last.index, hash: last.hash },
    repairs: entries.filter(({ event }) => event === REPAIRED).length,
    dropped: entries.reduce((sum, { event, details }) => sum + (event === DROPPED ? Number(details.count) : 0), 0),
    problem,
  };
}

interface ReadLine {
  readonly line: AuditLine;
  readonly entry: ReturnType<typeof readLine>;
}

function firstBadLine(read: readonly ReadLine[], entries: readonly AuditEntry[]): ChainProblem | undefined {
  let head: ChainHead | undefined;
  for (const [position, { line, entry }] of read.entries()) {
    head ??= startOf(entries);
    if (typeof entry === 'string' || entry.index !== head.index + 1 || entry.previous !== head.hash) {
      return { ...judge(entry, head, read.slice(position + 1)), file: line.file, line: line.number };
    }
    head = { index: entry.index, hash: entry.hash };
  }
  return undefined;
}

/** What the first line follows: nothing, or what a later entry says was given up. */
function startOf(entries: readonly AuditEntry[]): ChainHead {
  const first = entries[0];
  const given = entries.some(
    ({ event, details }) =>
      event === PRUNED && first !== undefined && details.through === first.index - 1 && details.hash === first.previous,
  );
  // Files that a crash saved from being removed reach further back than the entry says.
  const saved = entries.some(
    ({ event, details }) => event === PRUNED && first !== undefined && Number(details.through) >= first.index,
  );
  return first !== undefined && (given || saved) ? { index: first.index - 1, hash: first.previous } : NO_ENTRY;
}

/** What is wrong with a line that does not follow `before`, seen with all that comes after it. */
function judge(
  entry: ReadLine['entry'],
  before: ChainHead,
  after: readonly ReadLine[],
): Pick<ChainProblem, 'damage' | 'says'> {
  const wanted = before.index + 1;
  const later = after.flatMap((one) => (typeof one.entry === 'string' ? [] : [one.entry]));
  const follows = later.some(({ index, previous }) => index === wanted && previous === before.hash);
  if (typeof entry === 'string') {
    if (follows)
      return { damage: 'inserted', says: `this line is no entry of the chain; entry ${wanted} comes after it` };
    const how = entry === 'hash-wrong' ? 'its text does not match its own hash' : 'it is no audit entry';
    return { damage: 'edited', says: `this was entry ${wanted}; ${how}` };
  }
  if (follows) {
    return entry.index > wanted
      ? { damage: 'reordered', says: `entry ${entry.index} stands before entry ${wanted}` }
      : {
          damage: 'inserted',
          says: `entry ${entry.index} stands here, where entry ${wanted} should, which comes later`,
        };
  }
  if (entry.index > wanted) {
    const missing = entry.index - 1 === wanted ? `entry ${wanted} is` : `entries ${wanted} to ${entry.index - 1} are`;
    return { damage: 'removed', says: `${missing} missing before this one` };
  }
  if (entry.index < wanted) return { damage: 'inserted', says: `entry ${entry.index} stands here a second time` };
  return {
    damage: 'edited',
    says: 'this entry does not follow the one before it: one of both was replaced',
  };
}

function headMismatch(
  lines: readonly AuditLine[],
  entries: readonly AuditEntry[],
  published: ChainHead | undefined,
): ChainProblem | undefined {
  if (published === undefined) return undefined;
  const end = lines.at(-1);
  const where = { file: end?.file ?? '', line: end?.number ?? 0 };
  const last = entries.at(-1)?.index ?? -1;
  if (published.index > last) {
    const found = last < 0 ? 'the log is empty' : `the log ends with entry ${last}`;
    return { ...where, damage: 'truncated', says: `${found}, but entry ${published.index} was published` };
  }
  const position = entries.findIndex(({ index }) => index === published.index);
  const entry = entries[position];
  // One that rotation has given up cannot be looked at any more; the chain that begins after it is whole.
  if (entry === undefined || entry.hash === published.hash) return undefined;
  const line = lines[position];
  return {
    file: line?.file ?? '',
    line: line?.number ?? 0,
    damage: 'edited',
    says: `entry ${published.index} is not the one that was published: the log was rewritten from here or before`,
  };
}
