import { Socket } from 'node:net';
import { writeToStream } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { TestClock } from './estop-client.testing.ts';
import { EstopConnection } from './estop-connection.ts';
import { bytesOf, stopMessage } from './scripted-broker.testing.ts';

/** A connection over a socket that takes everything and sends nothing. */
function rig() {
  const socket = new Socket();
  const clock = new TestClock();
  let read: (bytes: Uint8Array) => void = () => {};
  const ends: string[] = [];
  let messages = 0;
  const connection = new EstopConnection(
    {
      sockets: {
        open: (given) => {
          read = given;
          return { socket, connectedEvent: 'connect' };
        },
        problemOf: String,
      },
      clock,
      clientId: 'c',
      topic: 'h2o/v1/r1/estop',
    },
    {
      message: () => {
        messages += 1;
      },
      turnEnds: () => {},
      up: () => {},
      acknowledged: () => {},
      down: (reason) => ends.push(reason),
    },
  );
  connection.open();
  socket.emit('connect');
  read(bytesOf({ cmd: 'connack', reasonCode: 0, sessionPresent: false }));
  clock.advance(1);
  read(bytesOf({ cmd: 'suback', messageId: 1, granted: [1] }));
  clock.advance(1);
  return {
    socket,
    ends,
    messages: () => messages,
    read: (bytes: Uint8Array) => {
      read(bytes);
      clock.advance(1);
    },
    connection,
  };
}

describe('a connection to a broker that does not read', () => {
  it('ends before much has piled up, and says so once', () => {
    const { socket, ends, read } = rig();
    for (let index = 0; index < 20_000; index += 1) read(bytesOf(stopMessage('', { qos: 1, messageId: 5 })));
    expect(ends).toEqual(['the broker does not read what it is sent']);
    expect(socket.writableLength).toBeLessThan(20 * 1024);
  });

  it('has delivered every message up to then', () => {
    const { ends, messages, read } = rig();
    let sent = 0;
    while (ends.length === 0) {
      read(bytesOf(stopMessage('', { qos: 1, messageId: 5 })));
      sent += 1;
    }
    expect(messages()).toBe(sent);
  });
});

describe('a connection that has ended', () => {
  it('delivers nothing any more', () => {
    const { connection, messages, read, ends } = rig();
    connection.end('enough');
    read(bytesOf(stopMessage()));
    connection.end('again');
    expect({ messages: messages(), ends }).toEqual({ messages: 0, ends: ['enough'] });
  });
});

describe('packets', () => {
  it('are encoded without the cache that mqtt-packet would stand still for', () => {
    expect(writeToStream.cacheNumbers).toBe(false);
  });
});
