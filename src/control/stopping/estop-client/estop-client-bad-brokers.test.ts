import type { Packet } from 'mqtt-packet';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort, startServer, type TestBroker, until } from '../../../messages/brokers.testing.ts';
import { BYTES_PER_TURN } from './broker-socket.ts';
import { estopClientRig, TestClock } from './estop-client.testing.ts';
import type { EstopClient, EstopClientOptions } from './estop-client.ts';
import { bytesOf, politely, type ScriptedBroker, startScripted, stopMessage } from './scripted-broker.testing.ts';

/** Lets the event loop go round, so that sockets get what is there for them. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the e-stop client and a broker that is', () => {
  let broker: TestBroker | undefined;
  let client: EstopClient | undefined;

  afterEach(async () => {
    client?.stop();
    await broker?.stop();
    broker = undefined;
  });

  const begin = (url: string, options: Partial<EstopClientOptions> = {}) => {
    const clock = new TestClock();
    const rig = estopClientRig({ url, clock, ...options });
    client = rig.client;
    client.start();
    return { ...rig, clock };
  };

  /** Time passes, a millisecond at a time, and sockets are served in between. */
  const pass = async (clock: TestClock, isSo: () => boolean) => {
    while (!isSo()) {
      clock.advance(1);
      await turn();
    }
  };

  const scripted = async (answers?: (packet: Packet) => Packet[]): Promise<ScriptedBroker> => {
    const started = await startScripted(answers);
    broker = started;
    return started;
  };

  const connected = async (answers?: (packet: Packet) => Packet[]) => {
    const server = await scripted(answers);
    const rig = begin(server.url);
    await pass(rig.clock, () => rig.client.state === 'connected');
    return { ...rig, server };
  };

  it('unreachable: tries for ever, every five seconds in the end', async () => {
    const { client, clock } = begin(`mqtt://127.0.0.1:${await freePort()}`);
    const waits: number[] = [];
    for (let attempt = 0; attempt < 6; attempt += 1) {
      await until(() => client.state === 'waiting');
      expect(client.problem).toContain('ECONNREFUSED');
      const began = clock.now();
      while (client.state === 'waiting') clock.advance(100);
      waits.push(clock.now() - began);
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 5000, 5000]);
  });

  it('accepting and never answering: is left after five seconds', async () => {
    broker = await startServer(() => {});
    const { client, clock } = begin(broker.url);
    await turn();
    clock.advance(4999);
    expect(client.state).toBe('connecting');
    clock.advance(1);
    expect(client.state).toBe('waiting');
    expect(client.problem).toContain('no subscription');
  });

  it('answering but never granting the subscription: is left too', async () => {
    const server = await scripted((packet) => (packet.cmd === 'subscribe' ? [] : politely(packet)));
    const { client, clock } = begin(server.url);
    await pass(clock, () => client.state === 'waiting');
    expect(server.heard.map((packet) => packet.cmd)).toContain('subscribe');
    expect(client.problem).toContain('no subscription');
  });

  it('refusing: says why', async () => {
    const server = await scripted(() => [
      { cmd: 'connack', reasonCode: 0x87, sessionPresent: false, properties: { reasonString: 'who are you?' } },
    ]);
    const { client, clock } = begin(server.url);
    await pass(clock, () => client.state === 'waiting');
    expect(client.problem).toContain('(135): who are you?');
  });

  it('refusing the subscription: does not count as connected', async () => {
    const refused: Packet = { cmd: 'suback', messageId: 1, granted: [0x87] };
    const server = await scripted((packet) => (packet.cmd === 'subscribe' ? [refused] : politely(packet)));
    const { client, clock, states } = begin(server.url);
    await pass(clock, () => client.state === 'waiting');
    expect(states).not.toContain('connected');
  });

  it('silent after a while: is found out by a ping', async () => {
    let silent = false;
    const { client, clock } = await connected((packet) => (silent ? [] : politely(packet)));
    silent = true;
    await pass(clock, () => client.state !== 'connected');
    expect(client.problem).toContain('silent');
  });

  it.each([
    ['text', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a length that does not end', Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ['a message at QoS 3', Buffer.from([0x36, 4, 0, 1, 0x61, 0])],
    ['a topic that is longer than its message', Buffer.from([0x30, 5, 0xff, 0xff, 0x61, 0, 0])],
    ['properties that are longer than their message', Buffer.from([0x30, 4, 0, 1, 0x61, 0x7f])],
    ['an acknowledgement of 200 MB', Buffer.concat([Buffer.from([0x40, 0x80, 0x80, 0x80, 0x60]), Buffer.alloc(8000)])],
    ['a packet that only clients send', bytesOf({ cmd: 'pingreq' })],
    ['a message at a quality that was not asked for', bytesOf({ ...stopMessage(), qos: 2, messageId: 7 } as Packet)],
    ['an empty packet of a reserved type', Buffer.from([0x00, 0x00])],
  ])('sending %s: is left, and called again', async (_, garbage) => {
    const { client, clock, server } = await connected();
    server.socket()?.write(garbage);
    await pass(clock, () => client.state === 'waiting');
    await pass(clock, () => client.state === 'connected');
    expect(client.counters.failures).toBe(1);
  });

  it('sending messages on other topics: is not obeyed', async () => {
    const { client, clock, server, stops } = await connected();
    server.send({ ...stopMessage('x'), topic: 'h2o/v1/r2/estop' } as Packet);
    await pass(clock, () => client.counters.foreign === 1);
    expect(stops).toEqual([]);
  });

  it('cutting a message in pieces: stops at its last byte', async () => {
    const { clock, server, stops } = await connected();
    for (const byte of bytesOf(stopMessage('stop', { qos: 1, messageId: 9 }))) {
      expect(stops).toEqual([]);
      server.socket()?.write(Buffer.of(byte));
      await turn();
      clock.advance(1);
      await turn();
    }
    await pass(clock, () => stops.length === 1);
    await pass(clock, () => server.heard.some((packet) => packet.cmd === 'puback' && packet.messageId === 9));
  });

  it('in the middle of a message of 200 MB: has already stopped the robot', async () => {
    const { clock, server, stops } = await connected();
    const head = bytesOf(stopMessage('x'.repeat(8000)));
    // Fixed header with the remaining length of 200 MB in the place of the true one.
    server.socket()?.write(Buffer.concat([Buffer.from([0x30, 0x80, 0x80, 0x80, 0x60]), head.subarray(3)]));
    await pass(clock, () => stops.length === 1);
  });

  it('flooding: gets one kilobyte a millisecond and no more, and one stop for each', async () => {
    const { client, clock, server, stops } = await connected();
    const before = client.counters.bytesIn;
    const flood = Buffer.concat(Array.from({ length: 10_000 }, (_, index) => bytesOf(stopMessage(String(index)))));
    server.socket()?.write(flood);
    let ticks = 0;
    let most = 0;
    let mostStops = 0;
    let seen = { bytes: client.counters.bytesIn, stops: 0 };
    while (client.counters.stops < 10_000) {
      // One tick of the control loop at 200 Hz.
      for (let millisecond = 0; millisecond < 5; millisecond += 1) {
        clock.advance(1);
        await turn();
      }
      most = Math.max(most, client.counters.bytesIn - seen.bytes);
      mostStops = Math.max(mostStops, stops.length - seen.stops);
      seen = { bytes: client.counters.bytesIn, stops: stops.length };
      ticks += 1;
    }
    expect(most).toBeLessThanOrEqual(5 * BYTES_PER_TURN);
    expect(mostStops).toBeLessThanOrEqual(5);
    expect(client.counters.mostBytesPerTurn).toBeLessThanOrEqual(BYTES_PER_TURN);
    expect(ticks).toBeGreaterThanOrEqual(Math.floor(flood.length / (5 * BYTES_PER_TURN)));
    expect(client.counters.bytesIn - before).toBeGreaterThanOrEqual(flood.length);
  });

  it('flooding: makes few events, whatever becomes of the stops', async () => {
    const server = await scripted();
    const never = new Promise<never>(() => {});
    const { client, clock } = begin(server.url, { onStop: () => ({ onDisk: never, confirmed: never }) });
    await pass(clock, () => client.state === 'connected');
    server.socket()?.write(Buffer.concat(Array.from({ length: 5000 }, () => bytesOf(stopMessage('{"id":"x"}')))));
    const began = clock.now();
    await pass(clock, () => client.counters.stops === 5000);
    await pass(clock, () => clock.now() - began > 200);
    const events = server.heard.filter((packet) => packet.cmd === 'publish').length;
    expect(events).toBeGreaterThan(0);
    expect(events).toBeLessThanOrEqual((clock.now() - began) / 20 + 2);
  });

  it('told to stop by a handler that fails: stays up', async () => {
    const server = await scripted();
    const { client, clock } = begin(server.url, {
      onStop: () => {
        throw new Error('a fault of the program');
      },
    });
    await pass(clock, () => client.state === 'connected');
    server.send(stopMessage());
    await pass(clock, () => client.counters.stopFailures === 1);
    expect(client.state).toBe('connected');
  });

  it('limited to QoS 0: still gets events', async () => {
    const server = await scripted((packet) =>
      packet.cmd === 'connect'
        ? [{ cmd: 'connack', reasonCode: 0, sessionPresent: false, properties: { maximumQoS: 0 } }]
        : politely(packet),
    );
    const { client, clock } = begin(server.url);
    await pass(clock, () => client.state === 'connected');
    client.publishEvent({ event: 'hello' });
    await pass(clock, () => server.heard.some((packet) => packet.cmd === 'publish' && packet.qos === 0));
    expect(client.outbox.counters.eventsSent).toBe(1);
  });

  it('left on purpose: says goodbye', async () => {
    const { client, server } = await connected();
    client.stop();
    await until(() => server.heard.some((packet) => packet.cmd === 'disconnect'));
    expect(client.state).toBe('stopped');
  });
});

describe('the address of the broker', () => {
  it.each(['localhost', 'http://x', 'wss://x', 'mqtt://', ''])('%j is refused at the start', (url) => {
    const { client } = estopClientRig({ url });
    expect(() => client.start()).toThrow(expect.objectContaining({ codeName: 'configInvalid' }));
  });
});
