import { connectAsync, type MqttClient } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BROKERS, type TestBroker, until } from '../../../messages/brokers.testing.ts';
import { estopClientRig } from './estop-client.testing.ts';
import type { EstopClient } from './estop-client.ts';

const ESTOP = 'h2o/v1/r1/estop';

describe.each(BROKERS)('the e-stop client with $name', ({ missing, start }) => {
  describe.skipIf(missing !== '')('connected', () => {
    let broker: TestBroker;
    let sender: MqttClient;
    let client: EstopClient | undefined;

    const connect = async (options: Partial<Parameters<typeof estopClientRig>[0]> = {}) => {
      const rig = estopClientRig({ url: broker.url, ...options });
      client = rig.client;
      client.start();
      await until(() => rig.client.state === 'connected');
      return rig;
    };

    beforeEach(async () => {
      broker = await start();
      sender = await connectAsync(broker.url, { protocolVersion: 5 });
    });

    afterEach(async () => {
      client?.stop();
      sender.end(true);
      await broker.stop();
    });

    it.each([
      ['text', 'stop', { qos: 1 }],
      ['nothing', '', { qos: 1 }],
      ['nothing at QoS 0', '', { qos: 0 }],
      ['JSON at QoS 2', '{"source":"anna"}', { qos: 2 }],
      ['broken JSON', '{"source":', { qos: 0 }],
      ['JSON that says not to stop', '{"stop":false}', { qos: 1 }],
      ['a retained message', 'x', { qos: 1, retain: true }],
      ['bytes that are no text', Buffer.from([0xff, 0, 0xfe]), { qos: 1 }],
      ['a payload longer than the client keeps', Buffer.alloc(300_000, 'a'), { qos: 1 }],
    ] as const)('stops at %s', async (_, payload, options) => {
      const { client, stops } = await connect();
      await sender.publishAsync(ESTOP, payload, options);
      await until(() => stops.length > 0);
      expect(client.counters.stops).toBe(1);
    });

    it('hears of the next stop after a long one', async () => {
      const { client, stops } = await connect();
      await sender.publishAsync(ESTOP, Buffer.alloc(50_000), { qos: 1 });
      await sender.publishAsync(ESTOP, 'again', { qos: 1 });
      await until(() => stops.length === 2);
      expect(client.counters.failures).toBe(0);
    });

    it('does not stop when a broker clears its retained copy', async () => {
      const { client, stops } = await connect();
      await sender.publishAsync(ESTOP, '', { qos: 1, retain: true });
      await until(() => client.counters.clearings === 1);
      expect(stops).toEqual([]);
    });

    it('stops at a retained message that was there before it connected', async () => {
      await sender.publishAsync(ESTOP, 'stop', { qos: 1, retain: true });
      const { stops } = await connect();
      await until(() => stops.length === 1);
    });

    it('acknowledges: stops go on after many', async () => {
      const { stops, client } = await connect();
      for (let index = 0; index < 40; index += 1) await sender.publishAsync(ESTOP, String(index), { qos: 1 });
      await until(() => client.counters.stops === 40);
      expect(stops.length).toBeGreaterThan(0);
    });

    it('records who stopped, in printable words', async () => {
      const { stops } = await connect();
      await sender.publishAsync(ESTOP, JSON.stringify({ source: "Anna's\n\u001b[31m laptop" }), { qos: 1 });
      await until(() => stops.length === 1);
      expect(stops).toEqual(["MQTT: Anna's[31m laptop"]);
    });

    it('tells the sender of each stage, by its id', async () => {
      const events: Record<string, unknown>[] = [];
      await sender.subscribeAsync('h2o/v1/r1/event', { qos: 1 });
      sender.on('message', (_, payload) => events.push(JSON.parse(payload.toString())));
      let confirm = () => {};
      const confirmed = new Promise<void>((resolve) => {
        confirm = resolve;
      });
      await connect({ progress: { onDisk: Promise.resolve(true), confirmed } });
      await sender.publishAsync(ESTOP, JSON.stringify({ source: 'anna', id: 'a1' }), { qos: 1 });
      await until(() => events.length === 2);
      confirm();
      await until(() => events.length === 3);
      const common = { schema: 1, event: 'estop-stage', source: 'MQTT: anna', ids: ['a1'] };
      expect(events).toMatchObject([
        { ...common, stage: 'received' },
        { ...common, stage: 'latched', onDisk: true },
        { ...common, stage: 'confirmed' },
      ]);
    });

    it('connects again when the broker comes back, and then says what it could not say before', async () => {
      const { client, stops, states } = await connect();
      sender.end(true);
      await broker.stop();
      await until(() => client.state === 'waiting');
      client.publishEvent({ event: 'while-away' });
      broker = await start(broker.port);
      sender = await connectAsync(broker.url, { protocolVersion: 5 });
      const events: string[] = [];
      await sender.subscribeAsync('h2o/v1/r1/event', { qos: 1 });
      sender.on('message', (_, payload) => events.push(JSON.parse(payload.toString()).event));
      await until(() => client.state === 'connected');
      await sender.publishAsync(ESTOP, 'stop', { qos: 1 });
      await until(() => stops.length === 1);
      expect(states).toContain('waiting');
      // It may have been sent before this test listened; it is gone from the outbox in any case.
      await until(() => client.outbox.counters.eventsSent >= 1);
      expect(client.outbox.counters.eventsLost).toBe(0);
    });

    it('takes another name when another client comes with its own, and both hear', async () => {
      const { client, stops } = await connect();
      const intruder = await connectAsync(broker.url, {
        protocolVersion: 5,
        clientId: 'h2o-r1-estop',
        reconnectPeriod: 50,
      });
      let lost = 0;
      intruder.on('close', () => {
        lost += 1;
      });
      await until(() => client.counters.takeovers === 1 && client.state === 'connected' && intruder.connected);
      const { connections } = client.counters;
      const lostBefore = lost;
      await sender.publishAsync(ESTOP, 'stop', { qos: 1 });
      await until(() => stops.length === 1);
      expect({ lost, connections: client.counters.connections }).toEqual({ lost: lostBefore, connections });
      intruder.end(true);
    });
  });
});
