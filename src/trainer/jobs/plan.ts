import type { TaskName } from '../../robot/tasks/task.ts';
import { taskNames } from '../../robot/tasks/tasks.ts';
import type { TrainerConfig } from '../config.ts';
import type { StockSegment } from '../stock.ts';
import type { JobRecord } from './job-record.ts';
import type { WaitingOrder } from './order-book.ts';

/** After a job that failed the task rests so long; twice as long after each further one [ms]. */
const FIRST_REST = 60_000;
const LONGEST_REST = 6 * 3600_000;

/** A task that is to be trained. */
export interface Entry {
  readonly task: TaskName;
  readonly cause: 'new-rows' | 'order';
  /** ids of orders */
  readonly orders: readonly (string | number)[];
  readonly since: number;
  /** why it does not begin now; empty if it can */
  readonly problem: string;
  /** when it may, wall clock [ms since 1970]; null where time alone changes nothing */
  readonly notBefore: number | null;
}

/** Data of one task. */
export interface TaskStock {
  readonly task: TaskName;
  readonly rows: number;
  readonly segments: number;
  /** that the job before did not have */
  readonly newRows: number;
  /** how many more it takes until the task is trained by itself; 0 if it is time, or if only orders do it */
  readonly wantsRows: number;
  readonly robots: Readonly<Record<string, number>>;
}

export interface PlanInputs {
  readonly tasks: TrainerConfig['tasks'];
  readonly retries: number;
  /** of every task, oldest first */
  readonly records: readonly JobRecord[];
  readonly orders: readonly WaitingOrder[];
  readonly stock: readonly TaskStock[];
  /** wall clock [ms since 1970] */
  readonly now: number;
}

/** How much there is of a task. */
export function stockOf(
  task: TaskName,
  segments: readonly StockSegment[],
  known: ReadonlySet<string>,
  settings: TrainerConfig['tasks'][TaskName],
): TaskStock {
  const robots: Record<string, number> = {};
  let [rows, newRows] = [0, 0];
  for (const segment of segments) {
    rows += segment.rows;
    if (!known.has(segment.sha256)) newRows += segment.rows;
    robots[segment.robot] = (robots[segment.robot] ?? 0) + segment.rows;
  }
  const { minRows = 0, newRows: step = 0 } = settings ?? {};
  const wantsRows = step === 0 ? 0 : Math.max(0, minRows - rows, step - newRows);
  return { task, rows, segments: segments.length, newRows, wantsRows, robots };
}

/**
 * What is to be trained, in order: what was ordered first, then what has new rows. Follows from what is on disk alone, so
 * that a trainer that was killed comes to the same plan.
 */
export function planJobs({ tasks, retries, records, orders, stock, now }: PlanInputs): Entry[] {
  const entries: Entry[] = [];
  for (const task of taskNames) {
    const settings = tasks[task];
    const has = stock.find((one) => one.task === task);
    if (!settings || !has) continue;
    const order = orders.find((one) => one.task === task);
    const past = records.filter((record) => record.task === task && record.end !== null);
    const failures = failuresAtEnd(past);
    const last = past.at(-1);
    const few =
      has.rows < settings.minRows ? `${has.rows} rows are too few, ${settings.minRows} are wanted (minRows)` : '';
    if (order) {
      entries.push({ task, cause: 'order', orders: order.ids, since: order.since, problem: few, notBefore: null });
    } else if (settings.newRows > 0 && has.wantsRows === 0 && few === '') {
      const since = last?.end?.at ?? now;
      entries.push({ task, cause: 'new-rows', orders: [], since, problem: '', notBefore: null });
    } else if (last?.end?.again && failures <= retries) {
      const { at, reason } = last.end;
      const rest = Math.min(LONGEST_REST, FIRST_REST * 2 ** (failures - 1));
      // A clock that was set back must not make it wait for days.
      const due = now < at ? now : at + rest;
      const waits = due > now;
      entries.push({
        task,
        cause: last.cause,
        orders: [],
        since: at,
        problem: waits ? reason : '',
        notBefore: waits ? due : null,
      });
    }
  }
  const rank = (entry: Entry) => (entry.cause === 'order' && entry.orders.length > 0 ? 0 : 1);
  return entries.sort((a, b) => rank(a) - rank(b) || a.since - b.since);
}

/** Jobs in a row, up to the last one, that failed in a way that another seed may mend. */
function failuresAtEnd(past: readonly JobRecord[]): number {
  const reversed = [...past].reverse();
  const firstOther = reversed.findIndex((record) => record.end?.again !== true);
  return firstOther < 0 ? reversed.length : firstOther;
}
