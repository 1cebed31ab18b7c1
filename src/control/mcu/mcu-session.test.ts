import { describe, expect, it } from 'vitest';
import { PROTOCOL_VERSION, SCHEMA_HASH } from '../../protocol/messages.gen.ts';
import { accept, frameOf, mcuHello, tappedSession } from '../frames.testing.ts';

/** A session whose port has just been opened. */
function opened() {
  const both = tappedSession();
  both.session.opened();
  return both;
}

describe('the greeting', () => {
  it('goes out when the port is opened, with a new nonce each time', () => {
    const { session, tap } = opened();
    session.closed();
    session.opened();
    expect(tap.all('hello').map((hello) => hello.nonce)).toEqual([1001, 1002]);
    expect(tap.all('hello')[0]).toMatchObject({
      protocolVersion: PROTOCOL_VERSION,
      schemaHash: SCHEMA_HASH,
      peerNonce: 0,
      name: 'h2o-edge',
      revision: 'test',
    });
  });

  it('is repeated until it is answered with this nonce, and then no more', () => {
    const { session, tap } = opened();
    session.hello();
    session.receive(frameOf(mcuHello({ peerNonce: 0 })));
    session.hello();
    expect(tap.count('hello')).toBe(3);
    accept(session);
    session.hello();
    expect(tap.count('hello')).toBe(3);
    expect(session.state).toBe('accepted');
  });

  it('names the MCU that was met last', () => {
    const { session, tap } = opened();
    session.receive(frameOf(mcuHello({ nonce: 55, peerNonce: 0 })));
    session.hello();
    expect(tap.all('hello').at(-1)?.peerNonce).toBe(55);
  });

  it('is announced as accepted with what the MCU said of itself', () => {
    const { session } = opened();
    const rates: number[] = [];
    session.accepted$.subscribe((hello) => rates.push(hello.sensorRate));
    accept(session, { sensorRate: 400 });
    expect(rates).toEqual([400]);
    expect(session.peer?.sensorRate).toBe(400);
  });

  it('is not taken for answered when the port was opened again', () => {
    const { session } = opened();
    accept(session);
    const old = session.nonce;
    session.closed();
    expect(session.state).toBe('waiting');
    session.opened();
    session.receive(frameOf(mcuHello({ peerNonce: old })));
    expect(session.state).toBe('foreign');
  });
});

describe('another host', () => {
  it('is seen by its nonce in the answer', () => {
    const { session, tap } = opened();
    session.receive(frameOf(mcuHello({ peerNonce: 4711 })));
    expect(session.state).toBe('foreign');
    session.hello();
    expect(tap.count('hello')).toBe(2);
    accept(session);
    expect(session.state).toBe('accepted');
  });

  it('is seen by an answer that nobody here asked for', () => {
    const { session } = opened();
    accept(session);
    expect(session.foreignHellos).toBe(0);
    accept(session);
    expect(session).toMatchObject({ foreignHellos: 1, state: 'accepted' });
  });

  it('is not suspected while each answer belongs to a greeting, be the first one late by a greeting', () => {
    const { session } = opened();
    session.hello();
    for (let answer = 0; answer < 2; answer++) accept(session);
    expect(session.foreignHellos).toBe(0);
    accept(session);
    expect(session.foreignHellos).toBe(1);
  });

  it('is not seen in the late answers of an MCU that slept through some greetings', () => {
    const { session } = opened();
    for (let greeting = 0; greeting < 2; greeting++) session.hello();
    for (let answer = 0; answer < 3; answer++) accept(session);
    expect(session.foreignHellos).toBe(0);
  });

  it('is not hidden for longer than until the next greeting would be due by greetings that got lost', () => {
    const { session } = opened();
    for (let greeting = 0; greeting < 20; greeting++) session.hello();
    accept(session);
    session.hello();
    accept(session);
    expect(session.foreignHellos).toBe(1);
  });

  it('that the MCU cannot talk to is counted, and does not end the session of the host in charge', () => {
    const { session } = opened();
    accept(session);
    session.receive(frameOf(mcuHello({ peerNonce: 0 })));
    expect(session).toMatchObject({ state: 'accepted', foreignHellos: 1 });
  });

  it('is forgotten when the port is opened again', () => {
    const { session } = opened();
    accept(session);
    accept(session);
    session.closed();
    session.opened();
    expect(session.foreignHellos).toBe(0);
    accept(session);
    expect(session.foreignHellos).toBe(0);
  });
});

describe('another version', () => {
  it.each([
    ['schema', { schemaHash: 0xdeadbeef }],
    ['protocol', { protocolVersion: PROTOCOL_VERSION + 1 }],
  ])('of the %s is refused whatever nonce the answer names', (_what, over) => {
    const { session } = opened();
    accept(session, over);
    expect(session.state).toBe('mismatch');
  });

  it('is told with the names and the hashes of both ends', () => {
    const { session } = opened();
    expect(session.describePeer()).toBe('no answer yet');
    session.receive(frameOf(mcuHello({ schemaHash: 0xbeef, protocolVersion: 9 })));
    const words = session.describePeer();
    for (const part of ['wheel-legged', '1.2', '0000beef', SCHEMA_HASH.toString(16), 'protocol 9']) {
      expect(words).toContain(part);
    }
  });

  it('is over when the MCU comes back with the right one', () => {
    const { session } = opened();
    session.receive(frameOf(mcuHello({ schemaHash: 1 })));
    session.receive(frameOf(mcuHello({ nonce: 78, peerNonce: 0 })));
    expect(session.state).toBe('waiting');
    accept(session, { nonce: 78 });
    expect(session.state).toBe('accepted');
  });
});

describe('an MCU that restarts', () => {
  it('is seen by its new nonce, and greeted at once under a new one of ours', () => {
    const { session, tap } = opened();
    accept(session);
    const old = session.nonce;
    session.receive(frameOf(mcuHello({ nonce: 78, peerNonce: 0 })));
    expect(session).toMatchObject({ state: 'waiting', restarts: 1, foreignHellos: 0 });
    expect(session.nonce).not.toBe(old);
    expect(tap.count('hello')).toBe(2);
    expect(tap.all('hello').at(-1)).toMatchObject({ nonce: session.nonce, peerNonce: 78 });
    accept(session, { nonce: 78 });
    expect(session).toMatchObject({ state: 'accepted', restarts: 1, foreignHellos: 0 });
  });

  it('does not obey this host by an answer to a greeting of before', () => {
    const { session, tap } = opened();
    accept(session);
    session.receive(frameOf(mcuHello({ nonce: 78, peerNonce: session.nonce })));
    expect(session.state).toBe('foreign');
    accept(session, { nonce: 78 });
    expect(session.state).toBe('accepted');
    expect(tap.count('hello')).toBe(2);
  });

  it('is no restart when it is the first that is met', () => {
    const { session } = opened();
    session.receive(frameOf(mcuHello()));
    expect(session.restarts).toBe(0);
  });
});

describe('latches of the MCU', () => {
  it('are known from its greeting, its echo and its fault', () => {
    const { session } = opened();
    accept(session, { latch: 3, latchCause: 'watchdog' });
    expect(session).toMatchObject({ latch: 3, latchCause: 'watchdog' });
    session.receive(frameOf({ kind: 'fault', latch: 4, cause: 'fault', faults: 1, latchedAt: 0 }));
    expect(session).toMatchObject({ latch: 4, latchCause: 'fault' });
    session.receive(frameOf({ kind: 'estopEcho', latch: 5, latchedAt: 0, estopSequence: 0 }));
    expect(session).toMatchObject({ latch: 5, latchCause: 'estop' });
  });

  it('are cleared by number, in the name of this session', () => {
    const { session, tap } = opened();
    session.receive(frameOf({ kind: 'estopEcho', latch: 6, latchedAt: 0, estopSequence: 0 }));
    session.clearLatch(5);
    expect(tap.all('clear')).toEqual([{ kind: 'clear', session: session.nonce, latch: 5 }]);
  });

  it('tell that the torque is off', () => {
    const { session } = opened();
    let echoes = 0;
    session.estopEcho$.subscribe(() => echoes++);
    session.receive(frameOf({ kind: 'estopEcho', latch: 5, latchedAt: 0, estopSequence: 0 }));
    expect(echoes).toBe(1);
  });
});

describe('an MCU that does not hear its host any more', () => {
  it('is greeted at once and under the same nonce, and the session is open until it answers', () => {
    const { session, tap } = opened();
    accept(session);
    session.greetAnew();
    expect(session.state).toBe('waiting');
    expect(tap.all('hello').map((hello) => hello.nonce)).toEqual([session.nonce, session.nonce]);
    session.hello();
    expect(tap.count('hello')).toBe(3);
    accept(session);
    expect(session).toMatchObject({ state: 'accepted', foreignHellos: 0, restarts: 0 });
  });

  it('is not greeted out of turn while it has not accepted yet', () => {
    const { session, tap } = opened();
    session.greetAnew();
    expect(tap.count('hello')).toBe(1);
  });
});

describe('the state of the session', () => {
  it('is told to whoever asks and at each change, and not without one', () => {
    const { session } = opened();
    const states: string[] = [];
    session.state$.subscribe((state) => states.push(state));
    accept(session);
    accept(session);
    session.receive(frameOf(mcuHello({ peerNonce: 4711 })));
    session.closed();
    session.closed();
    expect(states).toEqual(['waiting', 'accepted', 'foreign', 'waiting']);
  });
});

describe('a stop', () => {
  it('goes out without a session, and says whether it could', () => {
    const { session, tap } = tappedSession();
    expect(session.estop()).toBe(true);
    expect(tap.kinds).toEqual(['estop']);
    tap.open = false;
    expect(session.estop()).toBe(false);
  });
});
