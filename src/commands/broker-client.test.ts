import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EstopClient } from '../control/stopping/estop-client/estop-client.ts';
import { Broker } from '../gateway/broker.ts';
import { Relay, type RelayedRequest } from '../gateway/relay.ts';
import { BROKERS, freePort, startServer, type TestBroker, until } from '../messages/brokers.testing.ts';
import { MQTT_SCHEMA, type StateMessage, type TelemetryMessage } from '../messages/mqtt.ts';
import { stateOf } from '../messages/mqtt-state.ts';
import type { Answer } from '../messages/requests.ts';
import { statusOf } from '../messages/status.testing.ts';
import { BrokerClient } from './broker-client.ts';

const { privateKey } = generateKeyPairSync('ed25519');
const online = stateOf(statusOf(), { on: false, rows: 0, problem: '' }, 1);

/** What control answers, unless a test says otherwise. */
function control(request: RelayedRequest): Answer {
  switch (request.request) {
    case 'challenge':
      // The name of another robot: what is signed must not follow it.
      return { id: 0, ok: true, robot: 'r2', challenge: 'c', expiresInMs: 10_000 };
    case 'status':
      return { id: 0, ok: true, status: statusOf() };
    default:
      return { id: 0, ok: true };
  }
}

describe.each(BROKERS)('the operator over $name', ({ missing, start }) => {
  describe.skipIf(missing !== '')('and a robot', () => {
    let server: TestBroker;
    const stops: (() => Promise<void> | void)[] = [];

    beforeEach(async () => {
      server = await start();
    });

    afterEach(async () => {
      for (const stop of stops.splice(0).reverse()) await stop();
      await server.stop();
    });

    const startRobot = async (answer: (request: RelayedRequest) => Answer = control) => {
      const asked: RelayedRequest[] = [];
      const broker = new Broker({ url: server.url, robot: 'r1' });
      const relay = new Relay({
        robot: 'r1',
        control: {
          request: async (request) => {
            asked.push(request);
            return answer(request);
          },
        },
        respond: (...response) => broker.publishResponse(...response),
        event: (event) => broker.publishEvent(event),
        now: () => performance.now(),
        wall: () => Date.now(),
      });
      broker.onRequest((message) => relay.handle(message));
      broker.publishState(online);
      broker.start();
      stops.push(() => broker.stop());
      await until(() => broker.connected);
      return { asked, broker };
    };

    const startEar = async (onDisk: boolean, confirmed: Promise<unknown>) => {
      const sources: string[] = [];
      const ear = new EstopClient({
        url: server.url,
        robot: 'r1',
        onStop: (source) => {
          sources.push(source);
          return { onDisk: Promise.resolve(onDisk), confirmed };
        },
      });
      ear.start();
      stops.push(() => ear.stop());
      await until(() => ear.state === 'connected');
      return sources;
    };

    const connect = async () => {
      const client = await BrokerClient.connect({ url: server.url, robot: 'r1' });
      stops.push(() => client.close());
      return client;
    };

    it('reads the status and disarms', async () => {
      const { asked } = await startRobot();
      const client = await connect();
      expect(await client.status()).toEqual(statusOf());
      await client.disarm();
      expect(asked).toEqual([{ request: 'status' }, { request: 'disarm' }]);
    });

    it('signs for the robot that was named, whatever the answer says', async () => {
      const { asked } = await startRobot();
      const client = await connect();
      await client.command({ name: 'reset' }, privateKey);
      const [, command] = asked;
      if (command?.request !== 'command') throw new Error('no command came');
      const { payload } = command.envelope as { payload: string };
      expect(JSON.parse(payload)).toMatchObject({ robot: 'r1', challenge: 'c', command: { name: 'reset' } });
    });

    it('is told why a command is refused, in the robot’s own words', async () => {
      const refusal = { code: 'unknown-key', message: 'the command is refused', remedy: 'add the key' };
      await startRobot((request) => (request.request === 'command' ? { id: 0, ok: false, refusal } : control(request)));
      const client = await connect();
      await expect(client.command({ name: 'reset' }, privateKey)).rejects.toMatchObject({
        codeName: 'requestRefused',
        message: 'the command is refused (unknown-key)',
        remedy: 'add the key',
      });
    });

    it('sends heartbeats', async () => {
      const { asked } = await startRobot();
      const client = await connect();
      client.heartbeat('s', 3);
      await until(() => asked.length === 1);
      expect(asked).toEqual([{ request: 'heartbeat', session: 's', counter: 3 }]);
    });

    it('stops the robot without its gateway, and is told of each stage', async () => {
      const sources = await startEar(true, Promise.resolve());
      const client = await connect();
      const reached: string[] = [];
      const result = await client.estop('anna', (stage) => reached.push(stage), 60_000);
      expect(sources).toEqual(['MQTT: anna']);
      expect(reached[0]).toBe('received');
      expect([...reached].sort()).toEqual(['confirmed', 'latched', 'received']);
      expect(result).toEqual({ stages: reached, onDisk: true });
    });

    it('is not told that a stop is confirmed when it is not', async () => {
      await startEar(false, new Promise(() => {}));
      const client = await connect();
      const { stages, onDisk } = await client.estop('anna', undefined, 500);
      expect(stages).not.toContain('confirmed');
      expect(onDisk).toBe(false);
    });

    it('is told by the state of the robot where no event is heard, and not by a state from before', async () => {
      const { broker } = await startRobot();
      const stopped = stateOf(
        statusOf({
          state: 'estopped',
          estop: { latched: true, source: 'x', onDisk: true, problem: '', confirmation: 'wanted' },
          mcu: { ...statusOf().mcu, state: 'estopped' },
        }),
        { on: false, rows: 0, problem: '' },
        1,
      );
      // Retained, from before: whoever connects gets it at once.
      broker.publishState(stopped);
      await until(() => broker.counters.published >= 2);
      const client = await connect();
      await until(() => client.state !== undefined);
      expect(await client.estop('anna', undefined, 300)).toEqual({ stages: [], onDisk: false });

      // A stop that the motor controller has not confirmed is none.
      const notYet = setInterval(
        () => broker.publishState({ ...stopped, mcu: { ...stopped.mcu, state: 'active' } }),
        20,
      );
      try {
        expect(await client.estop('anna', undefined, 300)).toEqual({ stages: [], onDisk: false });
      } finally {
        clearInterval(notYet);
      }

      const reached: string[] = [];
      const result = client.estop('anna', (stage) => reached.push(stage), 60_000);
      // What it says of itself once the broker has the stop.
      const saying = setInterval(() => broker.publishState(stopped), 20);
      try {
        expect(await result).toEqual({ stages: ['confirmed', 'latched'], onDisk: true });
      } finally {
        clearInterval(saying);
      }
      expect(reached).toEqual(['confirmed', 'latched']);
    });

    it('does not take the answer to another’s stop for its own', async () => {
      const { broker } = await startRobot();
      const client = await connect();
      const stopped = client.estop('anna', undefined, 300);
      const stage = { schema: MQTT_SCHEMA, event: 'estop-stage', at: 1, source: 'x', ids: ['other'] } as const;
      for (const name of ['received', 'latched', 'confirmed']) broker.publishEvent({ ...stage, stage: name });
      expect(await stopped).toEqual({ stages: [], onDisk: false });
    });

    it('watches state, telemetry and events', async () => {
      const { broker } = await startRobot();
      const client = await connect();
      const states: StateMessage[] = [];
      const telemetries: TelemetryMessage[] = [];
      const events: string[] = [];
      await client.watch(
        (state) => states.push(state),
        (telemetry) => telemetries.push(telemetry),
        ({ event }) => events.push(event),
      );
      const telemetry: TelemetryMessage = {
        schema: 1,
        at: 1,
        mcuTimeUs: 1,
        sequence: 1,
        state: { x: 0, v: 0, pitch: 0, pitchRate: null },
        torque: { requested: 0, commanded: 0, applied: 0, measured: null },
        limits: ['slew'],
        conditions: [],
        task: 'standing-still',
        controller: 'balancer',
        robotState: 'running',
        latencyUs: 1,
        battery: null,
      };
      // What a later version may add is not this version's business.
      broker.publishTelemetry({ ...telemetry, novelty: 1 } as TelemetryMessage);
      broker.publishEvent({ schema: MQTT_SCHEMA, event: 'hello', at: 1 });
      await until(() => states.length > 0 && telemetries.length > 0 && events.length > 0);
      expect(states[0]).toEqual(online);
      expect(telemetries[0]).toEqual(telemetry);
      expect(events).toEqual(['hello']);
    });

    it('is told that the robot is offline, by its goodbye', async () => {
      const { broker } = await startRobot();
      await broker.stop();
      const client = await connect();
      await expect(client.status()).rejects.toMatchObject({
        codeName: 'notRunning',
        message: expect.stringContaining('the gateway was stopped'),
      });
    });

    it('is told that there has never been such a robot', async () => {
      const client = await connect();
      await expect(client.disarm()).rejects.toMatchObject({ codeName: 'notRunning' });
    });
  });
});

describe('the operator without a broker', () => {
  it('is told that it cannot be reached', async () => {
    const url = `mqtt://127.0.0.1:${await freePort()}`;
    await expect(BrokerClient.connect({ url, robot: 'r1' })).rejects.toMatchObject({ codeName: 'notRunning' });
  });

  it('is told that it does not answer', async () => {
    const server = await startServer(() => {});
    const connected = BrokerClient.connect({ url: server.url, robot: 'r1', patience: 100 });
    await expect(connected).rejects.toMatchObject({ codeName: 'notRunning' });
    await server.stop();
  });

  it('cannot name all robots at once', async () => {
    await expect(BrokerClient.connect({ url: 'mqtt://127.0.0.1', robot: '+' })).rejects.toMatchObject({
      codeName: 'usage',
    });
  });
});
