import type { DatasetWriter } from '../export/writer.ts';
import { MARKS } from '../marks.ts';
import type { Provenance, Shape, Transitions } from '../transitions.ts';
import { createHdf5, type Dataset, type File } from './hdf5.ts';

/** Rows of a chunk, in which HDF5 keeps an array that grows. */
const CHUNK_ROWS = 4096;

/**
 * A D4RL HDF5 file as the official H2O code and D4RL's own loaders read it: arrays of single precision at the root, flags
 * as uint8 (h5wasm writes no bool; `bool(x)` and `astype` do not mind, `~terminals` does), marks at infos/marks, and the
 * provenance in attributes, since D4RL's `sequence_dataset` indexes every array by the row.
 */
export class D4rlWriter implements DatasetWriter {
  readonly #file: File;
  readonly #columns: ReadonlyArray<{
    readonly array: Dataset;
    readonly width: number | undefined;
    readonly values: (batch: Transitions) => Float32Array | Uint8Array | Uint32Array | undefined;
  }>;
  #rows = 0;

  static async create(path: string, shape: Shape): Promise<D4rlWriter> {
    return new D4rlWriter(await createHdf5(path), shape);
  }

  private constructor(file: File, shape: Shape) {
    this.#file = file;
    const { observationSize, actionSize, marked } = shape;
    const floats = (name: string, width?: number) => growing(file, name, new Float32Array(0), '<f', width);
    const flags = (name: string) => growing(file, name, new Uint8Array(0), '<B');
    this.#columns = [
      { array: floats('observations', observationSize), width: observationSize, values: (b) => b.observations },
      { array: floats('actions', actionSize), width: actionSize, values: (b) => b.actions },
      { array: floats('rewards'), width: undefined, values: (b) => b.rewards },
      {
        array: floats('next_observations', observationSize),
        width: observationSize,
        values: (b) => b.nextObservations,
      },
      { array: flags('terminals'), width: undefined, values: (b) => b.terminals },
      { array: flags('timeouts'), width: undefined, values: (b) => b.timeouts },
      ...(marked ? [{ array: this.#marks(), width: undefined, values: (b: Transitions) => b.marks }] : []),
    ];
  }

  write(batch: Transitions): void {
    const end = this.#rows + batch.count;
    for (const { array, width, values } of this.#columns) {
      array.resize(width === undefined ? [end] : [end, width]);
      array.write_slice(
        width === undefined
          ? [[this.#rows, end]]
          : [
              [this.#rows, end],
              [0, width],
            ],
        values(batch),
      );
    }
    this.#rows = end;
    this.#file.flush();
  }

  finish(provenance: Provenance): void {
    this.#file.create_attribute('format', 'd4rl');
    this.#file.create_attribute('provenance', JSON.stringify(provenance));
    // The same once more for people with h5ls and for scripts that read no JSON.
    for (const key of ['task', 'source', 'robotModel']) {
      const value = provenance[key];
      if (typeof value === 'string') this.#file.create_attribute(key, value);
    }
    for (const key of ['rate', 'torqueScale']) {
      const value = provenance[key];
      if (typeof value === 'number') this.#file.create_attribute(key, value, [], '<d');
    }
    this.#file.flush();
    this.#file.close();
  }

  abandon(): void {
    try {
      this.#file.close();
    } catch {
      // What cannot be closed is removed all the same.
    }
  }

  #marks(): Dataset {
    const group = this.#file.create_group('infos');
    const marks = growing(group, 'marks', new Uint32Array(0), '<I');
    marks.create_attribute('names', JSON.stringify(MARKS));
    return marks;
  }
}

function growing(
  group: Pick<File, 'create_dataset'>,
  name: string,
  data: Float32Array | Uint8Array | Uint32Array,
  dtype: string,
  width?: number,
): Dataset {
  return group.create_dataset({
    name,
    data,
    dtype,
    shape: width === undefined ? [0] : [0, width],
    maxshape: width === undefined ? [null] : [null, width],
    chunks: width === undefined ? [CHUNK_ROWS] : [CHUNK_ROWS, width],
  });
}
