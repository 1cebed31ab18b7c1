import { expect, it } from 'vitest';
import { Rig } from './rig.ts';

const KILLS = 3;

it('a gateway that is killed again and again costs the robot nothing, and the recording not one row', async () => {
  const rig = await Rig.start();
  const { robot } = rig;
  await robot.stand();
  // Until control began to answer, frames did not wait for it.
  const { superseded } = await rig.counters();
  await robot.simulator.request('mark', { name: 'kills' });
  for (let kill = 0; kill < KILLS; kill++) {
    await rig.recording();
    // Anywhere: in the middle of a commit, of a row on the socket, of an acknowledgement.
    await robot.simulator.wait(Math.random() * 0.5);
    await rig.gateway?.kill();
    await robot.simulator.wait(0.2);
    rig.startGateway();
  }
  await rig.recording();

  const status = await robot.control.status();
  expect(status).toMatchObject({ state: 'running', reasons: [] });
  expect(await robot.simulator.measure('kills')).toMatchObject({ falls: 0 });
  const { counters, report } = await rig.readBack();
  expect(counters).toMatchObject({ answered: counters.frames, superseded, 'frames.lost': 0, 'rows.lost': 0 });
  expect(report).toMatchObject({ rows: counters['rows.made'], gaps: 0, duplicates: 0, corrupt: 0, open: 0, ok: true });
});
