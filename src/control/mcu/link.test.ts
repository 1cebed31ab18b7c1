import { mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openPty } from '../../simulation/pty.ts';
import { SerialLink } from './link.ts';

/** The test's own limit ends the wait. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2));
}

it('a port that looks open and says nothing is opened again, and the first byte from there ends the silence', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-link-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [dead, alive] = [await openPty(), await openPty()];
  const path = join(folder, 'port');
  symlinkSync(dead.path, path);
  const link = new SerialLink({ path, baudRate: 115_200, silence: 20, now: () => 0n });
  const silences: boolean[] = [];
  link.silent$.subscribe((silent) => silences.push(silent));
  link.start();
  await until(() => silences.includes(true));

  // The same name is another device now, and it talks all the time: no period of the watchdog passes without a byte.
  symlinkSync(alive.path, `${path}.new`);
  renameSync(`${path}.new`, path);
  const talk = setInterval(() => alive.write(Uint8Array.of(1)), 1);
  await until(() => link.health.silences === 1 && link.health.bytesIn > 20);
  clearInterval(talk);
  expect(silences.slice(0, 2)).toEqual([true, false]);
  expect(link.health.opens).toBe(2);
  await link.stop();
  await Promise.all([dead.close(), alive.close()]);
});
