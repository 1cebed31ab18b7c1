import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { configSchema, RAW_SENSORS } from '../../src/messages/config.ts';
import { isSegment } from '../../src/recording/segment-name.ts';
import { SegmentReader } from '../../src/recording/segment-reader.ts';
import { canSpoil, onBadDisk } from '../recording/processes.ts';
import { Rig, TestGateway } from './rig.ts';

/** Sequences of the messages on a channel. */
async function framesOn(directory: string, topic: string): Promise<number[]> {
  const frames: number[] = [];
  for (const file of readdirSync(directory).filter(isSegment)) {
    const reader = new SegmentReader(join(directory, file));
    for await (const messages of reader.chunks()) {
      const id = reader.channels.find((channel) => channel.topic === topic)?.id;
      for (const { channelId, sequence } of messages) if (channelId === id) frames.push(sequence);
    }
  }
  return frames;
}

it.skipIf(!canSpoil)(
  'a disk that takes half a second for each commit costs no tick and no row (needs gcc)',
  async () => {
    const recording = { ...configSchema.parse({}).recording, raw: [...RAW_SENSORS] };
    const rig = await Rig.start({ gateway: false, config: { recording } });
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
    expect(report.open).toBe(0);
    // Every frame that a row begins with has its readings on the channels of the sensors, too.
    for (const sensor of RAW_SENSORS) {
      const missing = new Set(await framesOn(rig.recordings, '/transition'));
      for (const frame of await framesOn(rig.recordings, `/raw/${sensor}`)) missing.delete(frame);
      expect([...missing], sensor).toEqual([]);
    }
  },
);
