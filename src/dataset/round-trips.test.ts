import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { floatText } from './csv/float-text.ts';
import { exportDataset } from './export/export-dataset.ts';
import { EXPORT_FORMATS } from './export/formats.ts';
import { formatOf, openDataset } from './open-dataset.ts';
import { collect } from './source.ts';
import { anyTransitions, madeUp, sourceOf } from './transitions.testing.ts';
import type { Transitions } from './transitions.ts';

/** The bits of everything, so that -0 is not 0. */
const bits = ({ observations, actions, rewards, nextObservations, terminals, timeouts, marks }: Transitions) =>
  [observations, actions, rewards, nextObservations, terminals, timeouts, marks].map(
    (array) => array && Buffer.from(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength).toString('hex'),
  );

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-dataset-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe.each(EXPORT_FORMATS)('exported as %s and opened again', (format) => {
  it('any dataset is the same to the bit, with its provenance', async () => {
    await fc.assert(
      fc.asyncProperty(anyTransitions, fc.integer({ min: 1, max: 50 }), async (all, batchRows) => {
        await inFolder(async (folder) => {
          const path = join(folder, 'data-v0');
          const report = await exportDataset(sourceOf(all, batchRows), format, path);
          expect(report.rows).toBe(all.count);
          expect(await formatOf(path)).toBe(format);
          const again = await collect(await openDataset(path));
          expect(bits(again)).toEqual(bits(all));
          expect(again.provenance).toEqual(all.provenance);
          expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
        });
      }),
      { numRuns: 20 },
    );
  });

  it('a dataset of more than one batch too, and through each other format', async () => {
    await inFolder(async (folder) => {
      const all = madeUp(9000);
      const first = join(folder, 'first');
      await exportDataset(sourceOf(all, 4096), format, first);
      const next = EXPORT_FORMATS[(EXPORT_FORMATS.indexOf(format) + 1) % EXPORT_FORMATS.length] ?? 'd4rl';
      const second = join(folder, 'second');
      await exportDataset(await openDataset(first), next, second);
      const again = await collect(await openDataset(second));
      expect(bits(again)).toEqual(bits(all));
      expect(again.provenance).toEqual(all.provenance);
    });
  });
});

describe('a number of single precision as text', () => {
  it('reads back as the same bits', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Object.is(Math.fround(Number(floatText(value))), value)).toBe(true);
      }),
      { numRuns: 2000 },
    );
    expect(floatText(Math.fround(0.1))).toBe('0.1');
  });
});
