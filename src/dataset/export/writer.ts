import type { Provenance, Transitions } from '../transitions.ts';

/** Writes one dataset; where to is settled when it is made. What any of these throws ends the export. */
export interface DatasetWriter {
  write(batch: Transitions): Promise<void> | void;
  /** Everything has been given; the provenance is complete. */
  finish(provenance: Provenance): Promise<void> | void;
  /** Lets go of files after an error; they are removed by whoever asked for the export. Must not throw. */
  abandon(): Promise<void> | void;
}
