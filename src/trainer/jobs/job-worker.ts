import { EdgeError, messageOf } from '../../errors.ts';
import type { GateVerdict } from '../../messages/mqtt-trainer.ts';
import { describeVerdict } from './gate.ts';
import type { JobBook } from './job-book.ts';
import type { JobEnd, JobRecord } from './job-record.ts';

/**
 * What a job is made of. Each may be killed anywhere and begun again: the same job again gives the same result, and what
 * is done already is not done twice.
 */
export interface JobSteps {
  /** Puts the data of the job in place. */
  prepare(job: JobRecord): Promise<void>;
  /** Trains, from the newest checkpoint on if there is one. @returns the policy's folder within that of the job */
  train(job: JobRecord, stop: AbortSignal): Promise<{ readonly trained: string; readonly steps: number }>;
  evaluate(job: JobRecord, stop: AbortSignal): Promise<GateVerdict>;
  /** Signs the policy and puts it beside those before it. @returns sha256 of its model */
  release(job: JobRecord): Promise<string>;
  /** Lets robots have it from now on. @returns which */
  offer(job: JobRecord): Promise<readonly string[]>;
  /** Clears away what an ended job needs no more. */
  tidy(job: JobRecord): Promise<void>;
}

export interface JobWorkerOptions {
  readonly book: JobBook;
  readonly steps: JobSteps;
  /** Begins the next job that is due, if there is one. @throws EdgeError when its record cannot be written */
  readonly next: () => JobRecord | undefined;
  /** something about the jobs has changed */
  readonly onChange: () => void;
  readonly onEnd: (job: JobRecord, end: JobEnd) => void;
  /** @returns after so many milliseconds, or when it is woken */
  readonly rest: (milliseconds: number, woken: AbortSignal) => Promise<void>;
  /** wall clock [ms since 1970] */
  readonly now: () => number;
}

/** Errors that come again whenever the same is tried with the same data. */
const HOPELESS = new Set([
  'trainingInvalid',
  'datasetInvalid',
  'robotInvalid',
  'gapInvalid',
  'configInvalid',
  'bundleInvalid',
  'modelInvalid',
  'usage',
  'stepInvalid',
  'tracingFailed',
]);

/** First and longest rest after a step that did not work out but may [ms]. */
const FIRST_REST = 5000;
const LONGEST_REST = 10 * 60_000;
/** Steps of a job that may go wrong in a row for a reason that nobody knows, before the job is given up. */
const MOST_TROUBLES = 6;
/** How long it waits for something to do before it looks again [ms]: a rest may have ended. */
const LOOK_AGAIN = 15_000;

/** One job at a time, step after step; each is on disk before the next begins. */
export class JobWorker {
  /** what keeps the job that is worked on from going on; empty if nothing does */
  problem = '';
  readonly #options: JobWorkerOptions;
  #working: { readonly id: string; readonly stop: AbortController } | undefined;
  #wake = new AbortController();
  #stopped = false;
  #troubles = 0;

  constructor(options: JobWorkerOptions) {
    this.#options = options;
  }

  /** Works until it is stopped. Never rejects. */
  async run(): Promise<void> {
    const { book, rest } = this.#options;
    while (!this.#stopped) {
      this.#wake = new AbortController();
      let pause = 0;
      try {
        const job = book.open ?? this.#options.next();
        if (job) await this.#advance(job);
        else pause = LOOK_AGAIN;
        this.#progressed();
      } catch (error) {
        pause = this.#failed(error);
      }
      if (this.#stopped) break;
      if (pause > 0) await rest(pause, this.#wake.signal);
    }
  }

  /** There may be something to do. */
  wake(): void {
    this.#wake.abort();
  }

  /** Lets go of everything; jobs go on when it is started again. */
  stop(): void {
    this.#stopped = true;
    this.#working?.stop.abort();
    this.wake();
  }

  /**
   * Ends the job of a task for good.
   * @returns why it cannot be; empty if it has ended
   * @throws EdgeError `fileUnreadable`; then it goes on
   */
  cancel(job: JobRecord): string {
    if (job.stage === 'signing') return 'it has passed the gate and is being published';
    this.#end(job, {
      outcome: 'cancelled',
      reason: 'it was cancelled by order',
      again: false,
      sha256: null,
      offeredTo: [],
    });
    if (this.#working?.id === job.id) this.#working.stop.abort();
    this.wake();
    return '';
  }

  /** One stage of the job. */
  async #advance(job: JobRecord): Promise<void> {
    const { book, steps, now, onChange } = this.#options;
    const stop = new AbortController();
    this.#working = { id: job.id, stop };
    const to = (changes: Parameters<JobBook['update']>[1]) => {
      book.update(job.id, { ...changes, since: now() });
      onChange();
    };
    try {
      switch (job.stage) {
        case 'preparing':
          await steps.prepare(job);
          to({ stage: 'training' });
          break;
        case 'training': {
          const begun = book.update(job.id, { attempt: job.attempt + 1 });
          onChange();
          const result = await steps.train(begun, stop.signal);
          to({ stage: 'evaluating', ...result });
          break;
        }
        case 'evaluating': {
          const gate = await steps.evaluate(job, stop.signal);
          if (gate.passed) to({ stage: 'signing', gate });
          else {
            const judged = book.update(job.id, { gate });
            const reason = `not good enough: ${describeVerdict(gate)}`;
            this.#end(judged, { outcome: 'not-good-enough', reason, again: false, sha256: null, offeredTo: [] });
          }
          break;
        }
        case 'signing': {
          const sha256 = await steps.release(job);
          const offeredTo = [...(await steps.offer(job))];
          this.#end(job, { outcome: 'published', reason: '', again: false, sha256, offeredTo });
          break;
        }
      }
    } finally {
      this.#working = undefined;
      const ended = book.get(job.id);
      // What is left lying takes room and does no harm.
      if (ended?.end) await steps.tidy(ended).catch(() => undefined);
    }
  }

  #end(job: JobRecord, end: Omit<JobEnd, 'at'>): void {
    const record = this.#options.book.update(job.id, { end: { ...end, at: this.#options.now() } });
    if (record.end) this.#options.onEnd(record, record.end);
    this.#options.onChange();
  }

  #progressed(): void {
    this.#troubles = 0;
    if (this.problem === '') return;
    this.problem = '';
    this.#options.onChange();
  }

  /** @returns how long to rest [ms] */
  #failed(error: unknown): number {
    const job = this.#options.book.open;
    // It was ended, or told to let go, while a step of it was under way.
    if (this.#stopped || (error instanceof EdgeError && error.codeName === 'jobCancelled')) return 0;
    const code = error instanceof EdgeError ? error.codeName : '';
    const reason = error instanceof EdgeError ? `${error.message}; ${error.remedy}` : messageOf(error);
    this.#troubles += 1;
    const diverged = code === 'trainingDiverged';
    const unknown = code === '' || code === 'jobInterrupted';
    const lost = unknown && !isDiskFull(error) && this.#troubles >= MOST_TROUBLES;
    if (job && (diverged || HOPELESS.has(code) || lost)) {
      try {
        this.#end(job, { outcome: 'failed', reason, again: diverged || lost, sha256: null, offeredTo: [] });
        this.#troubles = 0;
        this.problem = '';
        return 0;
      } catch {
        // The disk does not take it: the job stays, and is tried again.
      }
    }
    this.problem = job ? `${job.id} (${job.stage}): ${reason}` : reason;
    this.#options.onChange();
    return Math.min(LONGEST_REST, FIRST_REST * 2 ** Math.min(this.#troubles - 1, 20));
  }
}

/** Waiting mends it: somebody makes room. */
export const isDiskFull = (error: unknown): boolean =>
  /ENOSPC|EDQUOT|EFBIG|no space left|MB are free/i.test(messageOf(error));
