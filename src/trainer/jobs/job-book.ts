import { join } from 'node:path';
import { z } from 'zod';
import { EdgeError } from '../../errors.ts';
import type { DurableFiles } from '../durable-files.ts';
import { type JobRecord, type JobSegments, jobRecordSchema, jobSegmentsSchema } from './job-record.ts';

export type JobDraft = Omit<JobRecord, 'format' | 'number' | 'id'>;

/** Every job that there ever was, on disk before anything is done. */
export class JobBook {
  readonly directory: string;
  readonly #files: DurableFiles;
  readonly #records = new Map<string, JobRecord>();

  /** @throws EdgeError `fileInvalid` when a record is not one, `fileUnreadable` */
  constructor(files: DurableFiles, directory: string) {
    this.#files = files;
    this.directory = directory;
    for (const name of files.list(directory)) {
      // A folder without a record belongs to a job that was never begun.
      const text = files.read(join(directory, name, RECORD));
      if (text !== undefined) this.#records.set(name, parse(text, jobRecordSchema, join(directory, name, RECORD)));
    }
  }

  /** Oldest first. */
  get records(): readonly JobRecord[] {
    return [...this.#records.values()].sort((a, b) => a.number - b.number);
  }

  /** The one that has not ended. */
  get open(): JobRecord | undefined {
    return this.records.find(({ end }) => end === null);
  }

  /** The newest of a task, ended or not. */
  latest(task: string): JobRecord | undefined {
    return this.records.findLast((record) => record.task === task);
  }

  get(id: string): JobRecord | undefined {
    return this.#records.get(id);
  }

  folder(id: string): string {
    return join(this.directory, id);
  }

  /** @throws EdgeError `fileUnreadable`; then there is no job */
  create(draft: JobDraft, segments: JobSegments): JobRecord {
    const number = (this.records.at(-1)?.number ?? 0) + 1;
    const id = `${String(number).padStart(6, '0')}-${draft.task}`;
    this.#files.write(join(this.folder(id), SEGMENTS), JSON.stringify(segments));
    const record: JobRecord = { format: 1, number, id, ...draft };
    this.#write(record);
    return record;
  }

  /**
   * Takes a job a step further. One that has ended stays as it is.
   * @throws EdgeError `fileUnreadable`; then nothing has changed. `jobCancelled` when it has ended in the meantime
   */
  update(id: string, changes: Partial<JobDraft>): JobRecord {
    const known = this.#records.get(id);
    if (!known) throw new TypeError(`there is no job "${id}"`);
    if (known.end !== null) {
      throw new EdgeError('jobCancelled', `${id} has ended: ${known.end.outcome}`, 'order the training anew');
    }
    const record = { ...known, ...changes };
    this.#write(record);
    return record;
  }

  /** What it learns from; empty when the list is gone. */
  segmentsOf(id: string): JobSegments {
    const path = join(this.folder(id), SEGMENTS);
    const text = this.#files.read(path);
    return text === undefined ? [] : parse(text, jobSegmentsSchema, path);
  }

  #write(record: JobRecord): void {
    this.#files.write(join(this.folder(record.id), RECORD), `${JSON.stringify(record, null, 2)}\n`);
    this.#records.set(record.id, record);
  }
}

const RECORD = 'job.json';
const SEGMENTS = 'segments.json';

/** @throws EdgeError `fileInvalid` */
export function parse<T extends z.ZodType>(text: string, schema: T, path: string): z.output<T> {
  let problem = 'is not JSON';
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    problem = z.prettifyError(parsed.error);
  } catch {
    // said below
  }
  throw new EdgeError('fileInvalid', `${path}: ${problem}`, 'bring it back from a copy, or move it away');
}
