import { type FileHandle, open, writeFile } from 'node:fs/promises';
import type { DatasetWriter } from '../export/writer.ts';
import { markText } from '../marks.ts';
import { namesOf } from '../provenance.ts';
import type { TransitionSource } from '../source.ts';
import { endsEpisode, type Provenance, type Transitions } from '../transitions.ts';
import { floatText } from './float-text.ts';

/**
 * A CSV file (RFC 4180, "\n") with a header, a line for each transition and names for marks; the provenance stands beside
 * it in `<file>.json`. Numbers are the shortest decimals that read back as the same bits.
 */
export class CsvWriter implements DatasetWriter {
  readonly #path: string;
  readonly #file: FileHandle;
  #episode = 0;
  #step = 0;
  #rows = 0;

  static async create(path: string, { shape, provenance }: TransitionSource): Promise<CsvWriter> {
    const file = await open(path, 'wx', 0o644);
    const observations = namesOf(provenance, 'observationNames', shape.observationSize);
    const actions = namesOf(provenance, 'actionNames', shape.actionSize);
    const columns = [
      'episode',
      'step',
      ...observations.map((name) => `observation_${name}`),
      ...actions.map((name) => `action_${name}`),
      'reward',
      ...observations.map((name) => `next_observation_${name}`),
      'terminal',
      'timeout',
      ...(shape.marked ? ['marks'] : []),
    ];
    await file.appendFile(`${columns.join(',')}\n`);
    return new CsvWriter(path, file);
  }

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  async write(batch: Transitions): Promise<void> {
    const { observationSize, actionSize, marks } = batch;
    const texts = (values: Float32Array, row: number, width: number) =>
      Array.from(values.subarray(row * width, (row + 1) * width), floatText);
    const lines: string[] = [];
    for (let row = 0; row < batch.count; row++) {
      lines.push(
        [
          this.#episode,
          this.#step,
          ...texts(batch.observations, row, observationSize),
          ...texts(batch.actions, row, actionSize),
          floatText(batch.rewards[row] ?? 0),
          ...texts(batch.nextObservations, row, observationSize),
          batch.terminals[row],
          batch.timeouts[row],
          ...(marks ? [markText(marks[row] ?? 0)] : []),
        ].join(','),
      );
      this.#step += 1;
      if (!endsEpisode(batch, row)) continue;
      this.#episode += 1;
      this.#step = 0;
    }
    this.#rows += batch.count;
    lines.push('');
    await this.#file.appendFile(lines.join('\n'));
  }

  async finish(provenance: Provenance): Promise<void> {
    await this.#file.close();
    await writeFile(`${this.#path}.json`, `${JSON.stringify({ rows: this.#rows, provenance }, null, 2)}\n`);
  }

  async abandon(): Promise<void> {
    await this.#file.close().catch(() => undefined);
  }
}
