import { connectAsync, type MqttClient } from 'mqtt';
import { generate, type IConnectPacket, type Packet, parser } from 'mqtt-packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  BROKERS,
  mosquittoMissing,
  startMosquitto,
  startServer,
  type TestBroker,
  until,
} from '../messages/brokers.testing.ts';
import { MQTT_SCHEMA, type StateMessage, type TelemetryMessage } from '../messages/mqtt.ts';
import { stateOf } from '../messages/mqtt-state.ts';
import { statusOf } from '../messages/status.testing.ts';
import { Broker, type BrokerOptions, type InboundMessage } from './broker.ts';

const BASE = 'h2o/v1/r1';
const state: StateMessage = stateOf(statusOf(), { on: false, rows: 0, problem: '' }, 1);
const event = (name: string) => ({ schema: MQTT_SCHEMA, event: name, at: 1 }) as const;
const telemetry = (over: Partial<TelemetryMessage> = {}) => ({ schema: 1, at: 1, ...over }) as TelemetryMessage;

let gateway: Broker | undefined;
let watcher: MqttClient | undefined;
let server: TestBroker;

afterEach(async () => {
  await gateway?.stop();
  gateway = undefined;
  watcher?.end(true);
  watcher = undefined;
  await server.stop();
});

const startGateway = async (options: Partial<BrokerOptions> = {}) => {
  const broker = new Broker({ url: server.url, robot: 'r1', ...options });
  gateway = broker;
  broker.start();
  await until(() => broker.connected);
  return broker;
};

interface Seen {
  readonly topic: string;
  readonly body: Record<string, unknown>;
  readonly qos: number;
  readonly retain: boolean;
}

/** Somebody who sees everything of the robot. */
const watch = async () => {
  const seen: Seen[] = [];
  const client = await connectAsync(server.url, { protocolVersion: 5 });
  watcher = client;
  client.on('message', (topic, payload, { qos, retain }) =>
    seen.push({ topic: topic.slice(BASE.length + 1), body: JSON.parse(payload.toString() || '{}'), qos, retain }),
  );
  await client.subscribeAsync(`${BASE}/#`, { qos: 2, rap: true });
  return { client, seen };
};

describe.each(BROKERS)('the gateway’s connection with $name', ({ missing, start }) => {
  describe.skipIf(missing !== '')('up', () => {
    beforeEach(async () => {
      server = await start();
    });

    it('publishes each kind with its QoS and retain flag', async () => {
      const { seen } = await watch();
      const broker = await startGateway();
      broker.publishState(state);
      broker.publishEvent(event('hello'));
      broker.publishTelemetry(telemetry());
      broker.publishResponse(`${BASE}/command/response/a`, { schema: 1, id: 1, ok: true }, Buffer.from('x'));
      await until(() => seen.length === 4);
      const found = Object.fromEntries(seen.map(({ topic, qos, retain }) => [topic, [qos, retain]]));
      expect(found).toEqual({
        state: [1, true],
        event: [1, false],
        telemetry: [0, false],
        'command/response/a': [1, false],
      });
    });

    it('hears what is asked, with the retain flag and where to answer', async () => {
      const heard: InboundMessage[] = [];
      const client = await connectAsync(server.url, { protocolVersion: 5 });
      watcher = client;
      await client.publishAsync(`${BASE}/command`, 'old', { qos: 1, retain: true });
      const broker = new Broker({ url: server.url, robot: 'r1' });
      gateway = broker;
      broker.onRequest((message) => heard.push(message));
      broker.start();
      await until(() => broker.connected && heard.length === 1);
      await client.publishAsync(`${BASE}/challenge`, 'x', {
        qos: 1,
        properties: { responseTopic: `${BASE}/command/response/a`, correlationData: Buffer.from('c') },
      });
      await client.publishAsync(`${BASE}/heartbeat`, 'live', { qos: 0, retain: true });
      await client.publishAsync(`${BASE}/estop`, 'not the gateway’s', { qos: 1 });
      await until(() => heard.length === 3);
      expect(heard.map(({ name, retain, responseTopic }) => ({ name, retain, responseTopic }))).toEqual([
        { name: 'command', retain: true, responseTopic: undefined },
        { name: 'challenge', retain: false, responseTopic: `${BASE}/command/response/a` },
        { name: 'heartbeat', retain: true, responseTopic: undefined },
      ]);
      expect(heard[1]?.correlationData?.toString()).toBe('c');
    });

    it('keeps state and events for the next connection, but no telemetry', async () => {
      const broker = new Broker({ url: server.url, robot: 'r1' });
      gateway = broker;
      broker.publishState(state);
      broker.publishEvent(event('one'));
      broker.publishEvent(event('two'));
      broker.publishTelemetry(telemetry());
      const { seen } = await watch();
      broker.start();
      await until(() => seen.length === 3);
      expect(seen.map(({ topic, body }) => (topic === 'event' ? body.event : topic)).sort()).toEqual([
        'one',
        'state',
        'two',
      ]);
      expect(broker.counters.telemetryLeftOut).toBe(1);
    });

    it('says that the robot is offline when it stops', async () => {
      const { seen } = await watch();
      const broker = await startGateway();
      broker.publishState(state);
      await broker.stop();
      await until(() => seen.at(-1)?.body.online === false);
      expect(seen.at(-1)).toMatchObject({ topic: 'state', retain: true, body: { problem: 'the gateway was stopped' } });
    });

    it('leaves a will that says so when it dies', async () => {
      const { seen } = await watch();
      const broker = await startGateway();
      broker.publishState(state);
      await until(() => seen.some(({ body }) => body.online === true));
      // Another client with the same id makes the broker cut the connection.
      const cutter = await connectAsync(server.url, {
        protocolVersion: 5,
        clientId: 'h2o-r1-gateway',
        reconnectPeriod: 0,
      });
      await until(() => seen.some(({ body }) => body.online === false));
      expect(seen.find(({ body }) => body.online === false)).toMatchObject({ topic: 'state', retain: true });
      cutter.end(true);
    });

    it('connects again when the broker comes back, and publishes the state anew', async () => {
      const broker = await startGateway();
      broker.publishState(state);
      await server.stop();
      await until(() => !broker.connected);
      server = await start(server.port);
      const { seen } = await watch();
      await until(() => seen.some(({ topic, body }) => topic === 'state' && body.online === true));
      expect(broker.problem).toBe('');
    });

    it('steps back when another gateway has its name', async () => {
      const reported: string[] = [];
      const broker = await startGateway({ onEvent: ({ event }) => reported.push(event) });
      const other = await connectAsync(server.url, {
        protocolVersion: 5,
        clientId: 'h2o-r1-gateway',
        reconnectPeriod: 100,
      });
      await until(() => broker.counters.takeovers === 1 && other.connected);
      expect(reported).toEqual(['session-taken-over']);
      expect(broker.problem).toContain('second gateway');
      expect(broker.counters.connections).toBeLessThanOrEqual(3);
      other.end(true);
    });
  });
});

describe.skipIf(mosquittoMissing !== '')(
  `the gateway’s connection and the broker’s limits${mosquittoMissing && ` (skipped: ${mosquittoMissing})`}`,
  () => {
    it('does not send what the broker would not take, and stays connected', async () => {
      server = await startMosquitto(undefined, ['max_packet_size 2000']);
      const broker = await startGateway();
      broker.publishEvent({ ...event('long'), text: 'x'.repeat(3000) });
      broker.publishEvent(event('short'));
      await until(() => broker.counters.published === 1);
      expect(broker.counters).toMatchObject({ oversized: 1, failures: 0 });
    });
  },
);

/** A broker that answers as a test says. */
const scripted = (answers: (packet: Packet) => Packet[]) =>
  startServer((socket) => {
    const reader = parser({ protocolVersion: 5 });
    reader.on('packet', (packet) => {
      for (const answer of answers(packet)) socket.write(generate(answer, { protocolVersion: 5 }));
    });
    socket.on('data', (bytes) => reader.parse(bytes));
  });

describe('the gateway’s connection to a broker that', () => {
  it('refuses it: says why and tries again', async () => {
    let attempts = 0;
    server = await scripted((packet) => {
      if (packet.cmd !== 'connect') return [];
      attempts += 1;
      return [{ cmd: 'connack', reasonCode: 0x86, sessionPresent: false }];
    });
    const broker = new Broker({ url: server.url, robot: 'r1' });
    gateway = broker;
    broker.start();
    await until(() => attempts === 2);
    expect(broker.connected).toBe(false);
    expect(broker.problem).toContain('Bad User');
  });

  it('grants no subscription: does not count as connected', async () => {
    let attempts = 0;
    server = await scripted((packet) => {
      if (packet.cmd === 'connect') attempts += 1;
      if (packet.cmd === 'connect') return [{ cmd: 'connack', reasonCode: 0, sessionPresent: false }];
      if (packet.cmd !== 'subscribe') return [];
      return [{ cmd: 'suback', messageId: packet.messageId ?? 0, granted: [1, 0x87, 1] }];
    });
    const broker = new Broker({ url: server.url, robot: 'r1' });
    gateway = broker;
    broker.start();
    await until(() => attempts === 2);
    expect(broker.connected).toBe(false);
    expect(broker.counters.connections).toBe(0);
  });

  it('acknowledges nothing: sends a bounded number of events, and all again on the next connection', async () => {
    const sockets: { destroy(): void }[] = [];
    const events: string[] = [];
    server = await startServer((socket) => {
      sockets.push(socket);
      const reader = parser({ protocolVersion: 5 });
      reader.on('packet', (packet) => {
        const answer: Packet | undefined =
          packet.cmd === 'connect'
            ? { cmd: 'connack', reasonCode: 0, sessionPresent: false }
            : packet.cmd === 'subscribe'
              ? { cmd: 'suback', messageId: packet.messageId ?? 0, granted: [1, 1, 0] }
              : undefined;
        if (answer) socket.write(generate(answer, { protocolVersion: 5 }));
        if (packet.cmd === 'publish') events.push(JSON.parse(packet.payload.toString()).event);
      });
      socket.on('data', (bytes) => reader.parse(bytes));
    });
    const broker = await startGateway();
    for (let index = 0; index < 100; index += 1) broker.publishEvent(event(`e${index}`));
    await until(() => events.length === 16);
    const first = [...events];
    sockets[0]?.destroy();
    await until(() => events.length === 32);
    // Sixteen had been sent; of the others only the latest that fit were kept.
    expect(broker.eventsLost).toBe(36);
    expect(first[0]).toBe('e0');
    expect(events.slice(16)[0]).toBe('e36');
  });

  it('cannot be reached: says so', async () => {
    server = await startServer(() => {});
    const { url } = server;
    await server.stop();
    const broker = new Broker({ url, robot: 'r1' });
    gateway = broker;
    broker.start();
    await until(() => broker.counters.failures >= 1);
    expect(broker.problem).toMatch(/ECONNREFUSED|cannot be reached/);
  });
});

describe('the gateway’s greeting', () => {
  it('speaks MQTT 5, cleanly, with its will', async () => {
    const greetings: IConnectPacket[] = [];
    server = await scripted((packet) => {
      if (packet.cmd === 'connect') greetings.push(packet);
      return [];
    });
    const broker = new Broker({ url: server.url, robot: 'r1', username: 'u', password: 'p', wall: () => 42 });
    gateway = broker;
    broker.start();
    await until(() => greetings.length === 1);
    expect(greetings[0]).toMatchObject({
      protocolVersion: 5,
      clean: true,
      clientId: 'h2o-r1-gateway',
      username: 'u',
      will: { topic: `${BASE}/state`, qos: 1, retain: true },
    });
    expect(JSON.parse(String(greetings[0]?.will?.payload))).toMatchObject({ schema: 1, online: false, at: 42 });
  });

  it('is not sent for what is no name of a robot', () => {
    const broker = new Broker({ url: 'mqtt://127.0.0.1', robot: '+' });
    expect(() => broker.start()).toThrow(expect.objectContaining({ codeName: 'usage' }));
  });
});
