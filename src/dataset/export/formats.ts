import { openCsv } from '../csv/csv-source.ts';
import { CsvWriter } from '../csv/csv-writer.ts';
import { openD4rl } from '../hdf5/d4rl-source.ts';
import { D4rlWriter } from '../hdf5/d4rl-writer.ts';
import { openLeRobot } from '../lerobot/lerobot-source.ts';
import { LeRobotWriter } from '../lerobot/lerobot-writer.ts';
import { openMinari } from '../minari/minari-source.ts';
import { MinariWriter } from '../minari/minari-writer.ts';
import type { TransitionSource } from '../source.ts';
import type { Shape } from '../transitions.ts';
import type { DatasetWriter } from './writer.ts';

export const EXPORT_FORMATS = ['d4rl', 'minari', 'lerobot', 'csv'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface Target {
  readonly source: TransitionSource;
  /** the name that file or folder will have */
  readonly name: string;
  readonly fps: number | undefined;
}

interface Format {
  /** room that a row takes, roughly and rather too much [bytes] */
  readonly bytesPerRow: (shape: Shape) => number;
  readonly create: (path: string, target: Target) => Promise<DatasetWriter>;
  readonly read: (path: string) => Promise<TransitionSource>;
  /** endings of files that stand beside the one that is named */
  readonly besides: readonly string[];
}

const numbers = ({ observationSize, actionSize }: Shape): number => 2 * observationSize + actionSize + 1;

/** Every format that is written: how, and how it is read again. */
export const FORMATS: Readonly<Record<ExportFormat, Format>> = {
  d4rl: {
    bytesPerRow: (shape) => 4 * numbers(shape) + 8,
    create: (path, { source }) => D4rlWriter.create(path, source.shape),
    read: openD4rl,
    besides: [],
  },
  minari: {
    bytesPerRow: (shape) => 4 * numbers(shape) + 16,
    create: (path, { source, name }) => MinariWriter.create(path, source.shape, name),
    read: openMinari,
    besides: [],
  },
  lerobot: {
    bytesPerRow: (shape) => 5 * numbers(shape) + 40,
    create: (path, { source, fps }) => LeRobotWriter.create(path, source, fps),
    read: openLeRobot,
    besides: [],
  },
  csv: {
    bytesPerRow: (shape) => 14 * numbers(shape) + 40,
    create: (path, { source }) => CsvWriter.create(path, source),
    read: openCsv,
    besides: ['.json'],
  },
};
