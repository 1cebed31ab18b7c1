import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Rig } from '../gateway/rig.ts';
import {
  h2oEdge,
  lastLine,
  MOVE_BY_POLICY,
  patientHost,
  SHIPPED_POLICIES,
  STAND,
  STAND_BY_POLICY,
} from '../harness.ts';

it('a run of the real processes comes out of its tape bit for bit, whatever happened in it', async () => {
  const rig = await Rig.start({ config: { policies: [SHIPPED_POLICIES] }, robotFile: patientHost });
  const { robot } = rig;
  const { simulator } = robot;
  await rig.recording();
  await robot.stand(STAND);
  await simulator.request('push', { newtons: 20, seconds: 0.1 });
  await simulator.wait(1);
  await robot.arm(STAND_BY_POLICY);
  await simulator.wait(1);
  // A line with noise on it: frames are lost.
  for (let burst = 0; burst < 3; burst++) {
    await simulator.request('garbage', { bytes: 8 });
    await simulator.wait(0.3);
  }
  await simulator.wait(0.6);
  // The recorder dies, and another goes on where it was.
  await rig.gateway?.kill();
  await simulator.wait(0.5);
  rig.startGateway();
  await rig.recording();
  // An operator who sets it moving and is gone: it holds.
  await robot.control.command({ name: 'mode', mode: MOVE_BY_POLICY, session: 'gone' }, robot.operator);
  await robot.status('it holds', ({ reasons }) => reasons.some(({ id }) => id === 'heartbeat-lost'));
  await simulator.wait(1);
  await robot.arm(STAND);
  await robot.order('estop');
  await simulator.wait(1);
  await robot.reset();
  await robot.lift();
  await robot.stand(STAND);
  await robot.control.disarm();
  await simulator.wait(0.5);
  const { report, counters } = await rig.readBack({ tapeToo: true });
  expect(report).toMatchObject({ ok: true, tapeGaps: 0, duplicates: 0 });

  const finished = await h2oEdge(['replay', rig.recordings, '--json']);
  const replayed = lastLine(finished);
  expect(replayed).toMatchObject({
    ok: true,
    segments: report.segments,
    runs: 1,
    rows: counters['rows.made'],
    mismatches: 0,
    first: null,
    skipped: [],
    rowsNotReplayed: 0,
  });
  expect(replayed.commands).toBe(replayed.frames);
  expect(finished.code).toBe(0);

  // All but the first segment begin at a snapshot, and say from where on.
  expect(report.segments).toBeGreaterThan(1);
  const files = report.files.map(({ file }) => file);
  const without = files.slice(1).map((file) => join(rig.recordings, file));
  const later = await h2oEdge(['replay', ...without, '--json']);
  const rest = lastLine(later);
  expect(rest).toMatchObject({ ok: true, mismatches: 0 });
  expect(rest.skipped).toEqual([
    expect.objectContaining({ reason: expect.stringContaining('in the middle of a run') }),
  ]);
  expect(Number(rest.commands)).toBeGreaterThan(500);
  expect(later.code).toBe(0);
});
