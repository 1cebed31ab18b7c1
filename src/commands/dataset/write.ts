import { rmSync } from 'node:fs';
import {
  type ExportProgress,
  type ExportReport,
  exportDataset,
  partialPaths,
} from '../../dataset/export/export-dataset.ts';
import type { ExportFormat } from '../../dataset/export/formats.ts';
import type { TransitionSource } from '../../dataset/source.ts';
import { complain } from '../output.ts';

/**
 * Writes a dataset for a command: progress on a terminal, warnings on stderr, and nothing left behind by ^C.
 * @throws EdgeError as `exportDataset`
 */
export async function writeDataset(
  source: TransitionSource,
  format: ExportFormat,
  path: string,
  options: { fps?: number | undefined } = {},
): Promise<ExportReport> {
  const stop = (signal: NodeJS.Signals) => {
    for (const partial of partialPaths(format, path)) rmSync(partial, { recursive: true, force: true });
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const line = new ProgressLine();
  try {
    const report = await exportDataset(source, format, path, {
      fps: options.fps,
      onProgress: (progress) => line.show(progress),
    });
    for (const warning of report.warnings) complain(`warning: ${warning}`);
    return report;
  } finally {
    line.end();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

/** One line on a terminal that is written over and over; nothing where there is none. */
class ProgressLine {
  readonly #on = process.stderr.isTTY === true;
  #shownAt = 0;
  #any = false;

  show({ stage, rows, rowsAtMost }: ExportProgress): void {
    const now = Date.now();
    if (!this.#on || now - this.#shownAt < 100) return;
    this.#shownAt = now;
    this.#any = true;
    const percent = rowsAtMost > 0 ? `  ${Math.min(100, Math.floor((100 * rows) / rowsAtMost))} %` : '';
    process.stderr.write(`\r\x1b[K${stage}  ${rows} transitions${percent}`);
  }

  end(): void {
    if (this.#any) process.stderr.write('\r\x1b[K');
  }
}
