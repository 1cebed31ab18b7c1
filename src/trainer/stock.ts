import type { TaskName } from '../robot/tasks/task.ts';
import { linkNames } from './store/link-names.ts';
import type { SegmentStore } from './store/segment-store.ts';

/** A sealed segment that the trainer holds. */
export interface StockSegment {
  readonly sha256: string;
  /** name for a folder of segments, `<robot>-<boot>-<sequence>.mcap`; no other of the list has it */
  readonly file: string;
  /** where it lies; never written again */
  readonly path: string;
  readonly robot: string;
  readonly rows: number;
}

/** What jobs want of the store of segments. */
export interface Stock {
  /** Every segment that has rows of the task, in the order in which they came. */
  list(task: TaskName): readonly StockSegment[];
}

/**
 * The store as jobs see it. Rows are all rows of a segment: where one holds two tasks, they count for both.
 * @param mayGive robots whose data are used
 */
export const stockOfStore = (store: SegmentStore, mayGive: (robot: string) => boolean): Stock => ({
  list(task) {
    const segments = store.list({ task }).filter(({ robot }) => mayGive(robot));
    const names = new Map([...linkNames(segments)].map(([file, sha256]) => [sha256, file]));
    return segments.map(({ sha256, robot, rows, segment }) => ({
      sha256,
      robot,
      rows,
      file: names.get(sha256) ?? segment,
      path: store.pathOf(sha256),
    }));
  },
});
