import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { McapTypes } from '@mcap/core';
import { EdgeError, messageOf } from '../errors.ts';
import type { TaskName } from '../robot/tasks/task.ts';
import { bootText, parseEvent } from './channels.ts';
import { peekRow } from './row-key.ts';
import { bySequence, DAMAGED, isSegment, PART, SEALED } from './segment-name.ts';
import { SegmentReader } from './segment-reader.ts';

export interface SegmentReport {
  readonly file: string;
  readonly bytes: number;
  readonly rows: number;
  readonly events: number;
  /** blocks of the tape */
  readonly tapeBlocks: number;
  /** tasks of its rows, in the order in which they came */
  readonly tasks: readonly TaskName[];
  /** readings of single sensors */
  readonly raw: number;
  /** wall clock of the first and last message [ns since 1970] */
  readonly firstNs: bigint | undefined;
  readonly lastNs: bigint | undefined;
  readonly state: 'sealed' | 'open' | 'corrupt';
  /** what is wrong with a corrupt one */
  readonly reason: string | undefined;
}

export interface DirectoryReport {
  readonly segments: number;
  readonly rows: number;
  /** places where rows are missing within one run of `control`; a jump and the event that explains it are one gap */
  readonly gaps: number;
  /** segments with a wrong CRC or structure; their rows up to the damage are counted */
  readonly corrupt: number;
  readonly ok: boolean;
  readonly events: number;
  /** blocks of the tape from which commands can be computed again, and places where some are missing within one run */
  readonly tapeBlocks: number;
  readonly tapeGaps: number;
  /** rows that stand there a second time */
  readonly duplicates: number;
  /** segments without a footer: being written now, or cut off by a crash and not yet repaired */
  readonly open: number;
  /** originals that a repair has kept aside */
  readonly keptAside: number;
  readonly files: readonly SegmentReport[];
}

/**
 * Reads every segment of a folder to its end, also while a recorder writes there.
 * @throws EdgeError `fileUnreadable` when there is no such folder
 */
export async function verifyDirectory(directory: string): Promise<DirectoryReport> {
  const names = await readdir(directory).catch((error) => {
    throw new EdgeError('fileUnreadable', `cannot read ${directory}: ${messageOf(error)}`, 'name a folder of segments');
  });
  const sequences = new Sequences();
  const tape = new Sequences();
  const files: SegmentReport[] = [];
  for (const file of names.filter(isSegment).sort(bySequence)) {
    files.push(await verifySegment(directory, file, sequences, tape));
  }
  const count = (state: SegmentReport['state']) => files.filter((file) => file.state === state).length;
  const sum = (number: (file: SegmentReport) => number) => files.reduce((total, file) => total + number(file), 0);
  return {
    segments: files.length,
    rows: sum((file) => file.rows),
    gaps: sequences.gaps,
    corrupt: count('corrupt'),
    ok: count('corrupt') === 0,
    events: sum((file) => file.events),
    tapeBlocks: sum((file) => file.tapeBlocks),
    tapeGaps: tape.gaps,
    duplicates: sequences.duplicates,
    open: count('open'),
    keptAside: names.filter((name) => name.endsWith(DAMAGED)).length,
    files,
  };
}

/**
 * Reads one segment to its end.
 * @returns state `sealed` only when every byte of it is as it was written
 */
export const verifyFile = (directory: string, file: string): Promise<SegmentReport> =>
  verifySegment(directory, file, new Sequences(), new Sequences());

async function verifySegment(
  directory: string,
  file: string,
  sequences: Sequences,
  tape: Sequences,
): Promise<SegmentReport> {
  const reader = new SegmentReader(join(directory, file));
  let [rows, events, tapeBlocks, raw, bytes] = [0, 0, 0, 0, 0];
  let firstNs: bigint | undefined;
  let lastNs: bigint | undefined;
  let foreign = false;
  const tasks = new Set<TaskName>();
  try {
    for await (const messages of reader.chunks()) {
      for (const message of messages) {
        firstNs ??= message.logTime;
        lastNs = message.logTime;
        if (reader.isTape(message)) {
          tapeBlocks += 1;
          const block = reader.tapeOf(message);
          if (block) tape.row(block.boot, block.number);
          else foreign = true;
          continue;
        }
        if (reader.isEvent(message)) {
          events += 1;
          sequences.event(message);
          continue;
        }
        if (!reader.isRow(message)) {
          raw += 1;
          continue;
        }
        rows += 1;
        const row = reader.rowOf(message);
        const key = row && peekRow(row);
        if (key) {
          sequences.row(key.boot, key.sequence);
          if (key.task) tasks.add(key.task);
        } else foreign = true;
      }
    }
    bytes = reader.size;
  } catch (error) {
    // Sealed since the folder was listed: the same rows under the final name.
    if (file.endsWith(PART))
      return verifySegment(directory, `${file.slice(0, -PART.length)}${SEALED}`, sequences, tape);
    const counted = { file, bytes, rows, events, tapeBlocks, raw, firstNs, lastNs, tasks: [...tasks] };
    return { ...counted, state: 'corrupt', reason: messageOf(error) };
  }
  const { ending } = reader;
  const sound = ending?.kind === 'sealed' || (ending?.kind === 'cut' && file.endsWith(PART));
  const reason = foreign ? 'it holds rows or tape of a layout that this program does not know' : undefined;
  return {
    file,
    bytes,
    rows,
    events,
    tapeBlocks,
    tasks: [...tasks],
    raw,
    firstNs,
    lastNs,
    state: !sound || foreign ? 'corrupt' : ending.kind === 'sealed' ? 'sealed' : 'open',
    reason: sound ? reason : ending?.reason,
  };
}

/** Where rows are missing. A gap is known by the row before it, so that a jump and its event are not counted twice. */
class Sequences {
  duplicates = 0;
  readonly #last = new Map<bigint, bigint>();
  readonly #gaps = new Set<string>();
  #unplaced = 0;

  get gaps(): number {
    return this.#gaps.size + this.#unplaced;
  }

  row(boot: bigint, sequence: bigint): void {
    const last = this.#last.get(boot);
    if (last !== undefined && sequence <= last) {
      this.duplicates += 1;
      return;
    }
    if (last !== undefined && sequence > last + 1n) this.#gaps.add(`${bootText(boot)} ${last}`);
    this.#last.set(boot, sequence);
  }

  event(message: McapTypes.Message): void {
    const event = parseEvent(message);
    if (event?.event !== 'gap') return;
    if (event.boot !== undefined && event.after !== undefined) this.#gaps.add(`${event.boot} ${event.after}`);
    else this.#unplaced += 1;
  }
}
