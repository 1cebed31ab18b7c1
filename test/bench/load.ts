import { connectAsync } from 'mqtt';

/**
 * A process of its own that keeps a processor busy with JSON and garbage, and the broker with messages of one kilobyte at
 * QoS 1 that it also receives. Says on request what it did since it was last asked.
 */
export interface LoadMessage {
  readonly is: 'up' | 'load';
  /** share of one processor */
  readonly cpu: number;
  readonly messagesPerSecond: number;
}

/** Messages a second that are aimed at. */
const RATE = 500;
const IN_FLIGHT = 32;

const url = process.argv[2] ?? '';
const client = await connectAsync(url, { protocolVersion: 5, clientId: 'load' });
await client.subscribeAsync('load/#', { qos: 1 });

const document = Array.from({ length: 400 }, (_, index) => ({ index, name: `name ${index}`, values: [index, 2, 3] }));
const payload = Buffer.alloc(1024, 'x');
let sink: unknown;
let sent = 0;
let open = 0;
let began = performance.now();
let cpu = process.cpuUsage();
let sentBefore = 0;
const start = began;

function turn(): void {
  const until = performance.now() + 5;
  while (performance.now() < until) sink = JSON.parse(JSON.stringify(document));
  const due = ((performance.now() - start) / 1000) * RATE;
  while (sent < due && open < IN_FLIGHT) {
    sent += 1;
    open += 1;
    client.publish('load/telemetry', payload, { qos: 1 }, () => {
      open -= 1;
    });
  }
  setImmediate(turn);
}

const tell = (is: LoadMessage['is']) => {
  const seconds = (performance.now() - began) / 1000;
  const used = process.cpuUsage(cpu);
  const message: LoadMessage = {
    is,
    cpu: Math.round((used.user + used.system) / seconds / 1e4) / 100,
    messagesPerSecond: Math.round((sent - sentBefore) / seconds),
  };
  began = performance.now();
  cpu = process.cpuUsage();
  sentBefore = sent;
  process.send?.(message);
};

process.on('message', () => tell('load'));
process.once('SIGTERM', () => process.exit(sink === undefined ? 1 : 0));
process.once('disconnect', () => process.exit());
tell('up');
turn();
