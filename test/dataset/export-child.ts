import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { exportDataset } from '../../src/dataset/export/export-dataset.ts';
import { EXPORT_FORMATS } from '../../src/dataset/export/formats.ts';
import { madeUp, sourceOf } from '../../src/dataset/transitions.testing.ts';
import { EdgeError } from '../../src/errors.ts';

/** Exports more than there is room for, in every format; prints what came of each and what is left in the folder. */
const [, , folder = '', rows = '0'] = process.argv;
for (const format of EXPORT_FORMATS) {
  let outcome = 'written';
  try {
    await exportDataset(sourceOf(madeUp(Number(rows)), 4096), format, join(folder, 'data'));
  } catch (error) {
    outcome = error instanceof EdgeError ? `${error.codeName}: ${error.message}` : `not ours: ${String(error)}`;
  }
  process.stdout.write(`${JSON.stringify({ format, outcome, left: readdirSync(folder) })}\n`);
}
