import fc from 'fast-check';
import { from, lastValueFrom, toArray } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { decode, FrameSource } from './decode.ts';
import { accept, cut, join, McuWire, mcuHello, tappedSession } from './frames.testing.ts';
import type { McuSession } from './mcu/mcu-session.ts';
import type { Chunk, Sensed } from './tick.ts';

const chunk = (bytes: Uint8Array, arrivedNs = 0n): Chunk => ({ bytes, arrivedNs });

function newSource() {
  const { session } = tappedSession();
  session.opened();
  accept(session);
  return { session, source: new FrameSource(session) };
}

/** What a fresh source makes of the chunks. */
const sense = (...chunks: Uint8Array[]): Sensed[] => {
  const { source } = newSource();
  return chunks.flatMap((bytes) => source.sense(chunk(bytes)));
};

/** The MCU starts anew: it tells its new nonce, is greeted, and obeys. */
function restart(session: McuSession, source: FrameSource, wire: McuWire, nonce: number): void {
  source.sense(chunk(wire.send(mcuHello({ nonce, peerNonce: 0 }))));
  source.sense(chunk(wire.send(mcuHello({ nonce, peerNonce: session.nonce }))));
}

const sequences = (ticks: readonly Sensed[]) => ticks.map((tick) => tick.sequence);

describe('decode', () => {
  it('finds the same samples however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.nat(1000), { maxLength: 20 }), (frames, places) => {
        const wire = new McuWire();
        const bytes = join(...Array.from({ length: frames }, (_, index) => wire.sensors({ battery: index })));
        const ticks = sense(...cut(bytes, places));
        expect(ticks.map(({ sensors }) => sensors.battery)).toEqual(
          Array.from({ length: frames }, (_, index) => index),
        );
        expect(sequences(ticks)).toEqual(Array.from({ length: frames }, (_, index) => index));
        expect(ticks.map((tick) => tick.mcuTimeUs)).toEqual(Array.from({ length: frames }, (_, index) => 5000 * index));
      }),
    );
  });

  it('marks all but the newest sample of a chunk as superseded', () => {
    const wire = new McuWire();
    const ticks = sense(join(wire.sensors(), wire.sensors(), wire.sensors()), wire.sensors());
    expect(ticks.map((tick) => tick.superseded)).toEqual([true, true, false, false]);
  });

  it('does not take another frame behind the newest sample for a newer sample', () => {
    const wire = new McuWire();
    const echo = wire.send({ kind: 'estopEcho', latch: 1, latchedAt: 0, estopSequence: 0 });
    expect(sense(join(wire.sensors(), echo)).map((tick) => tick.superseded)).toEqual([false]);
  });

  it('gives each sample the arrival time of the chunk that completed it', () => {
    const wire = new McuWire();
    const { source } = newSource();
    const bytes = join(wire.sensors(), wire.sensors());
    source.sense(chunk(bytes.subarray(0, 20), 1n));
    expect(source.sense(chunk(bytes.subarray(20), 7n)).map((tick) => tick.arrivedNs)).toEqual([7n, 7n]);
  });

  it('hands every other frame to the session and lets none of them pass as a sample', () => {
    const { session, source } = newSource();
    const wire = new McuWire();
    const ticks = source.sense(
      chunk(
        join(
          wire.send(mcuHello({ peerNonce: session.nonce, sensorRate: 400 })),
          wire.send({ kind: 'fault', latch: 9, cause: 'watchdog', faults: 0, latchedAt: 0 }),
        ),
      ),
    );
    expect(ticks).toEqual([]);
    expect(session).toMatchObject({ peer: { sensorRate: 400 }, latch: 9, latchCause: 'watchdog' });
  });

  it('counts on over the wrap of the sequence and of the clock', () => {
    const wire = new McuWire({ firstSequence: 65_534, firstTime: 2 ** 32 - 7000 });
    const ticks = sense(wire.sensors(), wire.sensors(), wire.sensors(), wire.sensors());
    expect(sequences(ticks)).toEqual([65_534, 65_535, 65_536, 65_537]);
    expect(ticks.map((tick) => tick.wireSequence)).toEqual([65_534, 65_535, 0, 1]);
    expect(ticks.map((tick) => tick.mcuTimeUs)).toEqual([0, 5000, 10_000, 15_000].map((us) => 2 ** 32 - 7000 + us));
    expect(ticks.map((tick) => tick.lost)).toEqual([0, 0, 0, 0]);
  });

  it('counts the samples that are missing before one, also over the wrap', () => {
    const wire = new McuWire({ firstSequence: 65_533 });
    const before = wire.sensors();
    wire.lose(4);
    const ticks = sense(before, wire.sensors());
    expect(ticks.map((tick) => tick.lost)).toEqual([0, 4]);
    expect(sequences(ticks)).toEqual([65_533, 65_538]);
  });

  it('calls only the first sample first', () => {
    const wire = new McuWire({ firstSequence: 9 });
    expect(sense(wire.sensors(), wire.sensors()).map((tick) => tick.first)).toEqual([true, false]);
  });

  it('begins anew when the MCU greets with another nonce', () => {
    const { session, source } = newSource();
    const before = new McuWire({ firstSequence: 40_000, firstTime: 3e9 });
    source.sense(chunk(before.sensors()));
    const after = new McuWire({ firstSequence: 3, firstTime: 100 });
    restart(session, source, after, 78);
    const ticks = source.sense(chunk(join(after.sensors(), after.sensors())));
    expect(ticks.map(({ first, wireSequence, mcuTimeUs, lost }) => ({ first, wireSequence, mcuTimeUs, lost }))).toEqual(
      [
        { first: true, wireSequence: 3, mcuTimeUs: 100, lost: 0 },
        { first: false, wireSequence: 4, mcuTimeUs: 5100, lost: 0 },
      ],
    );
  });

  it('gives no number of a sample a second time, whatever the MCU counts from after its restart', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff), { minLength: 2, maxLength: 6 }), (starts) => {
        const { session, source } = newSource();
        const numbers = starts.flatMap((firstSequence, life) => {
          const wire = new McuWire({ firstSequence });
          restart(session, source, wire, 100 + life);
          const ticks = source.sense(chunk(join(wire.sensors(), wire.sensors())));
          // Whole turns only: the low bits stay those on the wire.
          expect(ticks.map((tick) => tick.sequence % 65_536)).toEqual(ticks.map((tick) => tick.wireSequence));
          return sequences(ticks);
        });
        expect(numbers).toHaveLength(2 * starts.length);
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      }),
    );
  });

  it('goes on as before when the MCU repeats its greeting', () => {
    const { session, source } = newSource();
    const hello = mcuHello({ peerNonce: session.nonce });
    const wire = new McuWire({ firstSequence: 65_535 });
    source.sense(chunk(join(wire.send(hello), wire.sensors())));
    const ticks = source.sense(chunk(join(wire.send(hello), wire.sensors())));
    expect(ticks).toMatchObject([{ first: false, sequence: 65_536 }]);
  });

  it('takes no sample for true before the MCU obeys this host', () => {
    const { session } = tappedSession();
    session.opened();
    const source = new FrameSource(session);
    const wire = new McuWire({ firstSequence: 5 });
    expect(source.sense(chunk(join(wire.sensors(), wire.sensors())))).toEqual([]);
    expect(source.beforeSession).toBe(2);
    const greeted = join(wire.send(mcuHello({ peerNonce: session.nonce })), wire.sensors());
    expect(source.sense(chunk(greeted))).toMatchObject([{ first: true, sequence: 7, lost: 0 }]);
    expect(source.beforeSession).toBe(2);
  });

  it('begins anew after samples that it passed over, and gives no number a second time', () => {
    const { session, source } = newSource();
    const wire = new McuWire();
    const [before] = source.sense(chunk(wire.sensors()));
    session.greetAnew();
    for (let frame = 0; frame < 40_000; frame++) source.sense(chunk(wire.sensors()));
    accept(session);
    const [after, next] = source.sense(chunk(join(wire.sensors(), wire.sensors())));
    expect(source.beforeSession).toBe(40_000);
    expect(after).toMatchObject({ first: true, lost: 0 });
    expect(after?.sequence).toBeGreaterThan(before?.sequence ?? Number.NaN);
    expect(next?.sequence).toBe((after?.sequence ?? Number.NaN) + 1);
  });

  it('begins anew when the port was opened again, without half a frame of before', () => {
    const { source } = newSource();
    const before = new McuWire({ firstSequence: 500 });
    source.sense(chunk(before.sensors()));
    source.sense(chunk(before.sensors().subarray(0, 30)));
    source.reset();
    const after = new McuWire({ firstSequence: 20 });
    expect(source.sense(chunk(after.sensors()))).toMatchObject([{ first: true, wireSequence: 20, lost: 0 }]);
    expect(source.decoder.counters.corrupted + source.decoder.counters.malformed).toBe(0);
  });

  it('changes nothing for a frame that is broken, but counts it', () => {
    const wire = new McuWire();
    const good = wire.sensors();
    const broken = Uint8Array.from(good);
    broken[10] = (broken[10] ?? 0) === 1 ? 2 : 1;
    const noise = Uint8Array.from({ length: 300 }, (_, index) => 1 + (index % 255));
    const { source } = newSource();
    const ticks = [broken, noise, Uint8Array.of(0, 0), good, good, wire.sensors()].flatMap((bytes) =>
      source.sense(chunk(bytes)),
    );
    expect(sequences(ticks)).toEqual([0, 1]);
    expect(ticks.map((tick) => tick.first)).toEqual([true, false]);
    expect(source.decoder.counters).toMatchObject({ corrupted: 1, oversized: 1, duplicated: 1, accepted: 2 });
  });

  it('lets the samples of a chunk leave in the turn in which it came', () => {
    new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(({ cold, expectObservable }) => {
      const wire = new McuWire();
      const { source } = newSource();
      const one = wire.sensors();
      const two = wire.sensors();
      const three = wire.sensors();
      const chunks$ = cold('a--b-c|', {
        a: chunk(one),
        b: chunk(join(two, three.subarray(0, 8))),
        c: chunk(three.subarray(8)),
      });
      expectObservable(chunks$.pipe(decode(source))).toBe('a--b-c|', {
        a: expect.objectContaining({ sequence: 0 }),
        b: expect.objectContaining({ sequence: 1 }),
        c: expect.objectContaining({ sequence: 2 }),
      });
    });
  });

  it('keeps the order of all samples of a chunk', async () => {
    const wire = new McuWire();
    const { source } = newSource();
    const bytes = join(...Array.from({ length: 20 }, () => wire.sensors()));
    const ticks = await lastValueFrom(from([chunk(bytes)]).pipe(decode(source), toArray()));
    expect(sequences(ticks)).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });
});
