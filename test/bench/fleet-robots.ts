import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { Broker } from '../../src/gateway/broker.ts';
import { telemetryOf } from '../../src/gateway/telemetry.ts';
import { DatasetUpload } from '../../src/gateway/upload/dataset-upload.ts';
import { stateOf } from '../../src/messages/mqtt-state.ts';
import { decodeRow } from '../../src/messages/row.ts';
import { statusOf } from '../../src/messages/status.testing.ts';
import { transitionMessage } from '../../src/recording/channels.ts';
import { realDisk } from '../../src/recording/disk.ts';
import { peekRow } from '../../src/recording/row-key.ts';
import { rowNumber } from '../../src/recording/rows.testing.ts';
import { segmentStem } from '../../src/recording/segment-name.ts';
import { SegmentWriter } from '../../src/recording/segment-writer.ts';

/**
 * Many robots in one process, as a broker and a trainer see them: each with the gateway's own connections, its state, 20 messages of
 * telemetry a second, and recordings that go up as fast as it would make them. There is no control behind them.
 */
export type FleetMessage =
  | { readonly is: 'written' }
  | { readonly is: 'online' }
  | { readonly is: 'telemetry'; readonly sent: number };

const [url = '', folder = '', first = '0', count = '0', segments = '1', rows = '1'] = process.argv.slice(2);
/** What a robot records at 200 Hz [kB/s]. */
const KILOBYTES_PER_SECOND = 70;
const TELEMETRY_PERIOD = 50;
const STATE_PERIOD = 1000;

const say = (message: FleetMessage) => process.send?.(message);
const log = pino({ level: 'silent' });

/** A sealed segment of one robot; no two have the same bytes. */
async function segment(directory: string, robot: string, boot: bigint, number: number): Promise<void> {
  const firstSequence = BigInt(1 + number * Number(rows));
  const stem = segmentStem({ robot, boot, firstSequence, copy: 1 });
  const path = join(directory, `${stem}.part`);
  const writer = new SegmentWriter({ disk: realDisk, path, metadata: new Map([['robot', robot]]) });
  await writer.open();
  for (let at = 0; at < Number(rows); at += 200) {
    const messages = Array.from({ length: 200 }, (_, index) => {
      const bytes = rowNumber(Number(firstSequence) + at + index, boot);
      const key = peekRow(bytes);
      if (!key) throw new Error('a row without a key');
      return transitionMessage(bytes, key, key.wallNs);
    });
    await writer.append(messages);
  }
  await writer.seal();
}

const names = Array.from({ length: Number(count) }, (_, index) => Number(first) + index);
const directories = new Map<string, string>();
for (const index of names) {
  const robot = `robot-${index}`;
  const directory = join(folder, robot, 'recordings');
  mkdirSync(directory, { recursive: true });
  directories.set(robot, directory);
  for (let number = 0; number < Number(segments); number++) {
    await segment(directory, robot, BigInt(1 + index), number);
  }
}
say({ is: 'written' });

const example = decodeRow(rowNumber(1));
if (!example) throw new Error('a row that cannot be read');
const telemetry = telemetryOf(example, { limits: 0, conditions: 0n, latencyUs: 900, battery: 24 });
const access = { url };
let sent = 0;
const brokers = [...directories].map(([robot, directory]) => {
  const broker = new Broker({ ...access, robot });
  const renewed = () => access;
  const upload = { enabled: true, kilobytesPerSecond: KILOBYTES_PER_SECOND, keep: 0, trainers: [] };
  broker.start();
  new DatasetUpload({ access, robot, directory, upload, log, renewed, isBusy: () => broker.isSlow }).start();
  const recording = { on: false, rows: 0, problem: '' };
  setInterval(() => broker.publishState(stateOf(statusOf({ name: robot }), recording, Date.now())), STATE_PERIOD);
  setInterval(() => {
    broker.publishTelemetry({ ...telemetry, at: Date.now() });
    sent += 1;
  }, TELEMETRY_PERIOD);
  return broker;
});
const online = setInterval(() => {
  if (!brokers.every((broker) => broker.connected)) return;
  clearInterval(online);
  say({ is: 'online' });
}, 50);
process.on('message', () => say({ is: 'telemetry', sent }));
