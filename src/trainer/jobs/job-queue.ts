import { createHash } from 'node:crypto';
import type { TaskName } from '../../robot/tasks/task.ts';
import { taskNames } from '../../robot/tasks/tasks.ts';
import { policyIdOf, type TrainerConfig } from '../config.ts';
import type { PolicyShelf } from '../publishing/policy-shelf.ts';
import type { Stock } from '../stock.ts';
import type { JobBook } from './job-book.ts';
import type { JobRecord } from './job-record.ts';
import type { OrderBook } from './order-book.ts';
import { type Entry, planJobs, stockOf, type TaskStock } from './plan.ts';
import type { VersionBook } from './version-book.ts';

export interface JobQueueOptions {
  readonly config: TrainerConfig;
  readonly book: JobBook;
  readonly orders: OrderBook;
  readonly versions: VersionBook;
  readonly shelf: PolicyShelf;
  readonly stock: Stock;
  /** wall clock [ms since 1970] */
  readonly now: () => number;
}

/** What is to be trained next, and the record with which it begins. */
export class JobQueue {
  readonly #options: JobQueueOptions;
  /** segments of the latest job of each task */
  readonly #known = new Map<TaskName, { readonly job: string; readonly sums: ReadonlySet<string> }>();

  constructor(options: JobQueueOptions) {
    this.#options = options;
  }

  /** How much there is of each task. */
  stock(): TaskStock[] {
    const { config, stock } = this.#options;
    return taskNames.map((task) => stockOf(task, stock.list(task), this.#knownOf(task), config.tasks[task]));
  }

  plan(): Entry[] {
    const { config, book, orders, now } = this.#options;
    const { tasks, limits } = config;
    const { records } = book;
    return planJobs({
      tasks,
      retries: limits.retries,
      records,
      orders: orders.waiting,
      stock: this.stock(),
      now: now(),
    });
  }

  /**
   * Begins what is due: from here on it is on disk, and will come to its end.
   * @throws EdgeError `fileUnreadable`; then nothing has begun
   */
  next(): JobRecord | undefined {
    const { book, orders } = this.#options;
    // An order whose job was begun just before the process was killed is carried out already.
    for (const order of orders.waiting) {
      if (book.records.some((record) => order.ids.every((id) => record.orders.includes(id)))) orders.drop(order.task);
    }
    const entry = this.plan().find(({ problem }) => problem === '');
    if (!entry) return undefined;
    const job = this.#begin(entry);
    if (entry.orders.length > 0) orders.drop(entry.task);
    return job;
  }

  #begin({ task, cause, orders }: Entry): JobRecord {
    const { config, book, versions, shelf, stock, now } = this.#options;
    const settings = config.tasks[task];
    if (!settings) throw new TypeError(`there is no task "${task}" in the configuration`);
    const segments = stock.list(task).map(({ sha256, file, robot, rows }) => ({ sha256, file, robot, rows }));
    const id = policyIdOf(task, settings);
    const used = book.records.filter(({ policy }) => policy.id === id).map(({ policy }) => policy.version);
    const version = versions.reserve(id, settings.leastVersion, [...used, ...shelf.versions(id)]);
    const number = (book.records.at(-1)?.number ?? 0) + 1;
    const at = now();
    return book.create(
      {
        task,
        cause,
        orders: [...orders],
        created: at,
        settings,
        robot: config.robot,
        // Seeds that are trained at once count up from the first.
        seed: settings.seed + (number - 1) * settings.seeds,
        data: {
          sha256: sumOf(segments.map(({ sha256 }) => sha256)),
          segments: segments.length,
          rows: segments.reduce((sum, { rows }) => sum + rows, 0),
          robots: [...new Set(segments.map(({ robot }) => robot))].sort(),
        },
        policy: { id, version },
        stage: 'preparing',
        since: at,
        attempt: 0,
        steps: 0,
        trained: null,
        gate: null,
        end: null,
      },
      segments,
    );
  }

  #knownOf(task: TaskName): ReadonlySet<string> {
    const { book } = this.#options;
    const latest = book.latest(task);
    if (!latest) return new Set();
    const known = this.#known.get(task);
    if (known?.job === latest.id) return known.sums;
    const sums = new Set(book.segmentsOf(latest.id).map(({ sha256 }) => sha256));
    this.#known.set(task, { job: latest.id, sums });
    return sums;
  }
}

/** The same segments give the same sum, in whatever order they came. */
const sumOf = (sums: readonly string[]): string =>
  createHash('sha256').update(sums.toSorted().join('\n')).digest('hex');
