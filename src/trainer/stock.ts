import type { TaskName } from '../robot/tasks/task.ts';

/** A sealed segment that the trainer holds. */
export interface StockSegment {
  readonly sha256: string;
  /** name under which its robot recorded it, `<robot>-<boot>-<sequence>.mcap` */
  readonly file: string;
  /** where it lies now; never written again */
  readonly path: string;
  readonly robot: string;
  /** of a running robot with the task that was asked for */
  readonly rows: number;
}

/** What jobs want of the store of segments. */
export interface Stock {
  /** Every segment that has rows of the task. */
  list(task: TaskName): readonly StockSegment[];
}
