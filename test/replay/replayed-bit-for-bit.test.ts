import { expect, it } from 'vitest';
import type { ArmedMode } from '../../src/messages/mode.ts';
import { Rig } from '../gateway/rig.ts';
import { MOVE_BY_POLICY, STAND, STAND_BY_POLICY, patientHost, SHIPPED_POLICIES, lastLine, h2oEdge } from '../harness.ts';

it('a run with everything in it comes out of its tape bit for bit', async () => {
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
  for (let burst = 0; burst < 5; burst++) {
    await simulator.request('garbage', { bytes: 40 });
    await simulator.wait(0.05);
  }
  await simulator.wait(0.6);
  // An operator who sets it moving and is gone: fallback.
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
  const { report } = await rig.readBack();
  expect(report).toMatchObject({ ok: true, tapeGaps: 0 });
  (await import('node:fs')).cpSync(rig.recordings, '/tmp/replay-rec', { recursive: true });
  const finished = await h2oEdge(['replay', rig.recordings, '--json']);
  console.error(JSON.stringify(lastLine(finished), null, 1), finished.stderr);
});
