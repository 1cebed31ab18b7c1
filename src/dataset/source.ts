import { allocate, copyInto, type Provenance, rowsOf, type Shape, type Transitions } from './transitions.ts';

/** A dataset that is read batch by batch, so that its length costs no memory. */
export interface TransitionSource {
  readonly path: string;
  /** what lies there */
  readonly format: DatasetFormat;
  readonly shape: Shape;
  /** no fewer than there will be */
  readonly rowsAtMost: number;
  /** complete once `batches` has come to its end */
  readonly provenance: Provenance;
  /** what a person should know about how it was read (a damaged segment, dropped rows); complete like `provenance` */
  readonly warnings: readonly string[];
  /**
   * All transitions in order, in batches of one row or more; can be called again.
   * @throws EdgeError `datasetInvalid` naming the row, `fileUnreadable`
   */
  batches(): AsyncGenerator<Transitions>;
}

export const DATASET_FORMATS = ['segments', 'd4rl', 'minari', 'lerobot', 'csv', 'log'] as const;
export type DatasetFormat = (typeof DATASET_FORMATS)[number];

/** Rows in one batch. */
export const BATCH_ROWS = 8192;

/** Reads all of a source into memory: about 50 bytes a row with the paper's tasks. */
export async function collect(source: TransitionSource): Promise<Transitions> {
  let all = allocate(BATCH_ROWS, source.shape);
  let count = 0;
  for await (const batch of source.batches()) {
    if (count + batch.count > all.count) {
      const larger = allocate(Math.max(2 * all.count, count + batch.count), source.shape);
      copyInto(larger, 0, all);
      all = larger;
    }
    copyInto(all, count, batch);
    count += batch.count;
  }
  // Copies, so that what grew too large can go.
  const exact = allocate(count, source.shape, source.provenance);
  copyInto(exact, 0, rowsOf(all, 0, count));
  return exact;
}
