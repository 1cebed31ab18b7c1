import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clocks, TURN } from './arbitrary-clocks.ts';
import { buildFolder } from './build-folder.ts';
import { buildDriver } from './c-driver.ts';
import { has, SANITIZED } from './c-toolchain.ts';

const missing = has('gcc') ? '' : ' (skipped: no gcc)';
const folder = buildFolder();

test.skipIf(missing)(`h2o_clock.c: the true offset is never outside what is said of it (§10)${missing}`, () => {
  const driver = buildDriver(folder, SANITIZED);
  fc.assert(
    fc.property(clocks, ({ start, offset, drift, commands }) => {
      const input = Buffer.alloc(12 * commands.length);
      const truths: number[] = [];
      let mcu = start;
      const hostAt = (time: number) => Math.round(time + offset + drift * (time - start));
      commands.forEach(({ pause, there, back }, i) => {
        mcu += pause;
        const sampled = mcu;
        const built = hostAt(mcu + there);
        mcu += there + back;
        [built, sampled, mcu].forEach((time, k) => {
          input.writeUInt32LE(((time % TURN) + TURN) % TURN, 12 * i + 4 * k);
        });
        truths.push(hostAt(mcu) - mcu);
      });
      const { status, stdout } = spawnSync(driver, ['clock'], { input });
      expect(status).toBe(0);
      truths.forEach((truth, i) => {
        const said = stdout.readUInt32LE(8 * i);
        const uncertainty = stdout.readUInt32LE(8 * i + 4);
        // both modulo 2^32, their difference signed
        const error = ((((truth - said) % TURN) + 1.5 * TURN) % TURN) - TURN / 2;
        // the drift of one exchange, and what integers round away
        expect(Math.abs(error), `command ${i}: said ${said}`).toBeLessThanOrEqual(uncertainty + 15);
      });
      const shortest = Math.min(...commands.map(({ there, back }) => there + back));
      if (commands.every(({ pause }) => pause < 1000)) {
        const last = stdout.readUInt32LE(8 * commands.length - 4);
        const elapsed = commands.reduce((sum, { pause, there, back }) => sum + pause + there + back, 0);
        expect(last).toBeLessThanOrEqual(shortest / 2 + elapsed / 5000 + 2);
      }
    }),
    { numRuns: 200 },
  );
});
