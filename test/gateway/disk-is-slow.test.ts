import { expect, it } from 'vitest';
import { verifyDirectory } from '../../src/recording/verify.ts';
import { canSpoil, onBadDisk } from '../recording/processes.ts';
import { Rig, TestGateway } from './rig.ts';

it.skipIf(!canSpoil)(
  'a disk that takes half a second for each commit costs no tick and no row (needs gcc)',
  async () => {
    const rig = await Rig.start({ gateway: false });
    const { robot } = rig;
    rig.gateway = new TestGateway(robot.configPath, onBadDisk({ what: 'slow', ms: 500 }));
    await rig.recording();
    await robot.stand();
    await robot.simulator.request('mark', { name: 'slow' });
    await robot.simulator.wait(5);
    await rig.recording();
    expect(await robot.simulator.measure('slow')).toMatchObject({ falls: 0 });
    const { counters, report } = await rig.readBack();
    expect(counters).toMatchObject({ answered: counters.frames, 'frames.lost': 0, 'rows.lost': 0 });
    expect(report).toMatchObject({ rows: counters['rows.made'], gaps: 0, duplicates: 0, corrupt: 0, ok: true });
    expect(await verifyDirectory(rig.recordings)).toMatchObject({ open: 0 });
  },
);
