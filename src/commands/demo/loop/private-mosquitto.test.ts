import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startMosquitto } from './private-mosquitto.ts';

it('names what is missing where there is no mosquitto', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-test-'));
  try {
    await expect(startMosquitto(folder, 'no-such-mosquitto')).rejects.toMatchObject({
      codeName: 'notRunning',
      message: expect.stringContaining('mosquitto is not installed'),
      remedy: expect.stringContaining('--broker'),
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
