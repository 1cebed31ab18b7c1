import { writeSync } from 'node:fs';
import { connect } from 'mqtt';
import { DatasetIntake } from '../../dist/trainer/intake/dataset-intake.js';
import { SegmentStore } from '../../dist/trainer/store/segment-store.js';

/** A process that takes datasets and does nothing else, and says on stdout what it has: a line of JSON for each change. */

const [url = '', trainer = '', directory = ''] = process.argv.slice(2);

const store = await SegmentStore.open(directory);
const say = () => {
  const { counters, state } = intake;
  writeSync(1, `${JSON.stringify({ counters, state, stored: store.list().map(({ segment }) => segment) })}\n`);
};
const intake = new DatasetIntake({ access: { url }, trainer, store, leaveFreeBytes: 0, onChange: () => say() });
intake.start();

const topic = `h2o/v1/trainer/${trainer}/state`;
const presence = (online) => Buffer.from(JSON.stringify({ schema: 1, online }));
const client = connect(url, {
  protocolVersion: 5,
  reconnectPeriod: 100,
  will: { topic, payload: presence(false), qos: 1, retain: true },
});
client.on('error', () => {});
client.on('connect', () => client.publish(topic, presence(true), { qos: 1, retain: true }));
say();

process.once('SIGTERM', async () => {
  await intake.stop();
  await store.close();
  process.exit(0);
});
