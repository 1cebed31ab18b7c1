import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { h2oEdge, lastLine, temporaryFolder } from './harness.ts';

/** The published log of the real robot; it carries no licence and so is not part of this project. */
const REAL_LOG =
  process.env.H2O_ROBOT_LOG ??
  fileURLToPath(new URL('../../shared/data/wheel-legged-standing-5.11.s.txt', import.meta.url));

/** A robot that sways ever more, and twice leans too far; every column agrees with the others. */
function syntheticLog(rows: number): string {
  const lines = Array.from({ length: rows }, (_, row) => {
    const t = row / 200;
    const sway = 0.35 + 0.05 * t;
    const pitch = sway * Math.sin(3 * t);
    const pitchRate = 0.05 * Math.sin(3 * t) + 3 * sway * Math.cos(3 * t);
    const x = 0.1 * Math.sin(2 * t);
    const speed = 0.2 * Math.cos(2 * t);
    const torque = 1.2 * Math.sin(5 * t);
    return [x, speed, pitch, pitchRate, torque, Math.abs(pitch) > Math.PI / 6 ? 1 : 0].join(' ');
  });
  return `${lines.join('\n')}\n`;
}

describe('the demo plays a log through the whole control process', () => {
  it('that was made up', async () => {
    const path = join(temporaryFolder(), 'log.txt');
    writeFileSync(path, syntheticLog(1200));
    const finished = await h2oEdge(['demo', '--playback', path, '--json']);
    const said = lastLine(finished);
    expect(said).toMatchObject({ ok: true, problems: [], frames: 1200, answered: 1200, transitions: 1199 });
    expect(said.done).toMatchObject({ equal: true });
    expect((said.done as { inLog: number }).inLog).toBeGreaterThan(0);
    expect(said.reasons).toHaveProperty('tilt');
    expect(finished.code).toBe(0);
  });

  it('of the real robot', async ({ skip }) => {
    if (!existsSync(REAL_LOG)) skip(`there is no log at ${REAL_LOG}; name one with H2O_ROBOT_LOG`);
    const finished = await h2oEdge(['demo', '--playback', REAL_LOG, '--json']);
    const said = lastLine(finished);
    expect(said).toMatchObject({ ok: true, problems: [], answered: said.frames, done: { equal: true } });
    // A real robot's sensors trip nothing while it stands; only the fall with which the log ends does. What a loaded machine
    // brings about is not the log's.
    const hostTime = ['overrun', 'overrun-lasting', 'policy-late', 'sensor-silence', 'clock-step'];
    const named = Object.keys(said.reasons as object).filter((id) => !hostTime.includes(id));
    expect(named.sort()).toEqual(['attitude-jump', 'fall-predicted', 'tilt']);
    expect((said.states as { running: number }).running).toBeGreaterThan(0.99 * (said.frames as number));
    expect(finished.code).toBe(0);
  });
});
