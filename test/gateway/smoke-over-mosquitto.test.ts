import { describe, expect, it } from 'vitest';
import { h2oEdge, lastLine } from '../harness.ts';
import { Mosquitto, noMosquitto } from './mosquitto.ts';

describe.skipIf(noMosquitto)('the demo with a real broker (needs mosquitto)', () => {
  it('runs through its smoke scenario, and every row that was made is read back', async () => {
    const broker = await Mosquitto.start();
    const scenario = ['demo', '--scenario', 'smoke', '--seconds', '20', '--pace', 'lockstep'];
    const finished = await h2oEdge([...scenario, '--broker', broker.url, '--json']);
    const said = lastLine(finished);
    expect(said).toMatchObject({ ok: true, problems: [], answered: said.frames });
    const { recorded, verified } = said.rows as { recorded: number; verified: number };
    expect(recorded).toBeGreaterThan(3000);
    expect(verified).toBe(recorded);
    expect(finished.code).toBe(0);
  });
});
