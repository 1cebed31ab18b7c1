import type { Socket } from 'node:net';
import { generate, type Packet, parser } from 'mqtt-packet';
import { startServer, type TestBroker } from '../../../messages/brokers.testing.ts';

/** A broker that answers as a test says, and keeps what it is told. */
export interface ScriptedBroker extends TestBroker {
  readonly heard: Packet[];
  /** the latest connection */
  socket(): Socket | undefined;
  send(packet: Packet): void;
}

export const bytesOf = (packet: Packet): Buffer => generate(packet, { protocolVersion: 5 });

export const stopMessage = (payload: string | Buffer = '', over: object = {}): Packet => ({
  cmd: 'publish',
  topic: 'h2o/v1/r1/estop',
  payload,
  qos: 0,
  dup: false,
  retain: false,
  ...over,
});

const CONNACK: Packet = { cmd: 'connack', reasonCode: 0, sessionPresent: false };

/** What a well-behaved broker says to what it hears. */
export function politely(packet: Packet): Packet[] {
  switch (packet.cmd) {
    case 'connect':
      return [CONNACK];
    case 'subscribe':
      return [{ cmd: 'suback', messageId: packet.messageId ?? 0, granted: [1] }];
    case 'pingreq':
      return [{ cmd: 'pingresp' }];
    case 'publish':
      return packet.qos === 1 ? [{ cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode: 0 }] : [];
    default:
      return [];
  }
}

export async function startScripted(answers: (packet: Packet) => Packet[] = politely): Promise<ScriptedBroker> {
  const heard: Packet[] = [];
  let latest: Socket | undefined;
  const broker = await startServer((socket) => {
    latest = socket;
    const reader = parser({ protocolVersion: 5 });
    reader.on('packet', (packet) => {
      heard.push(packet);
      for (const answer of answers(packet)) socket.write(bytesOf(answer));
    });
    socket.on('data', (bytes) => reader.parse(bytes));
  });
  return {
    ...broker,
    heard,
    socket: () => latest,
    send: (packet) => void latest?.write(bytesOf(packet)),
  };
}
