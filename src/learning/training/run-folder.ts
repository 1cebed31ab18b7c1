import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { EdgeError, messageOf } from '../../errors.ts';

import { CheckpointFolder, writeWhole } from './checkpoint-file.ts';
import { type RunConfig, runConfigSchema } from './run-config.ts';
import { readYamlData } from './yaml-data.ts';

/**
 * The folder of a run: `config.yaml`, `metrics.jsonl`, `checkpoints/`, `curves.svg`, `policies/`. Lines of metrics hold no
 * times, so that the same run gives the same bytes.
 */
export class RunFolder {
  readonly path: string;
  readonly checkpoints: CheckpointFolder;
  #metrics: number | undefined;
  #bytes = 0;

  private constructor(path: string) {
    this.path = path;
    this.checkpoints = new CheckpointFolder(join(path, 'checkpoints'));
  }

  /** @throws EdgeError `trainingInvalid` when a run, or anything else, is there already */
  static create(path: string, config: RunConfig): RunFolder {
    if (existsSync(join(path, 'config.yaml'))) {
      throw new EdgeError(
        'trainingInvalid',
        `${path} holds a run already`,
        `go on with --resume ${path}, or name another folder`,
      );
    }
    try {
      mkdirSync(join(path, 'checkpoints'), { recursive: true });
      const others = readdirSync(path).filter((name) => name !== 'checkpoints');
      if (others.length > 0) {
        throw new EdgeError('trainingInvalid', `${path} is not empty: it holds ${others[0]}`, 'name another folder');
      }
      writeFileSync(join(path, 'metrics.jsonl'), '');
    } catch (error) {
      if (error instanceof EdgeError) throw error;
      throw new EdgeError(
        'fileUnreadable',
        `cannot write to ${path}: ${messageOf(error)}`,
        'name another folder with --out',
      );
    }
    writeWhole(join(path, 'config.yaml'), [Buffer.from(stringify(config))]);
    return new RunFolder(path);
  }

  /** @throws EdgeError `fileUnreadable` when there is no run, `trainingInvalid` with the line of what is wrong in its config */
  static open(path: string): { readonly folder: RunFolder; readonly config: RunConfig } {
    const config = readYamlData(join(path, 'config.yaml'), runConfigSchema, 'trainingInvalid');
    return { folder: new RunFolder(path), config };
  }

  get metricsPath(): string {
    return join(this.path, 'metrics.jsonl');
  }

  /** Length of the metrics so far, all of them on the medium [bytes]. */
  syncMetrics(): number {
    if (this.#metrics !== undefined) fsyncSync(this.#metrics);
    return this.#bytes;
  }

  /**
   * Forgets the lines after that length: those steps come again.
   * @throws EdgeError `trainingInvalid` when there are fewer
   */
  openMetrics(bytes = 0): void {
    if (!existsSync(this.metricsPath)) writeFileSync(this.metricsPath, '');
    const { size } = statSync(this.metricsPath);
    if (size < bytes) {
      throw new EdgeError(
        'trainingInvalid',
        `${this.metricsPath} has ${size} bytes, and had ${bytes} at the checkpoint`,
        'bring it back from a copy, or begin a new run',
      );
    }
    truncateSync(this.metricsPath, bytes);
    this.#metrics = openSync(this.metricsPath, 'a');
    this.#bytes = bytes;
  }

  appendMetrics(record: object): void {
    if (this.#metrics === undefined) return;
    this.#bytes += writeSync(this.#metrics, `${JSON.stringify(record)}\n`);
  }

  close(): void {
    if (this.#metrics !== undefined) closeSync(this.#metrics);
    this.#metrics = undefined;
  }
}
