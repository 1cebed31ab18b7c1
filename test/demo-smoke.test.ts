import { expect, it } from 'vitest';
import { h2oEdge, lastLine } from './harness.ts';

const number = expect.any(Number);

it('the demo runs through its smoke scenario and says what it found', async () => {
  const finished = await h2oEdge(['demo', '--scenario', 'smoke', '--seconds', '30', '--pace', 'lockstep', '--json']);
  const said = lastLine(finished);
  expect(said).toMatchObject({
    ok: true,
    problems: [],
    frames: number,
    answered: said.frames,
    latencyUs: { p50: number, p99: number, max: number },
    standing: { maxAbsX: number, falls: 0 },
    moving: { meanSpeed: number, falls: 0 },
    lifts: 2,
    estop: { latencyMs: number, confirmed: true, refusedWhileStopped: true },
    rows: { recorded: number, verified: number },
  });
  expect(finished.code).toBe(0);
});
