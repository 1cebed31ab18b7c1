import { from, lastValueFrom, toArray } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { FrameEncoder } from '../protocol/frame.ts';
import { actuate } from './actuate.ts';
import { HostTap } from './frames.testing.ts';
import { actuated } from './ticks.testing.ts';

function rig() {
  const tap = new HostTap();
  const clock = { now: 0n };
  const encoder = new FrameEncoder();
  const actuator = {
    encoder: () => encoder,
    write: (bytes: Uint8Array) => {
      clock.now += 40_000n;
      return tap.write(bytes);
    },
    nowNs: () => clock.now,
  };
  return { tap, clock, actuator };
}

describe('actuate', () => {
  it('writes one command for each tick: exactly the one that it was given', async () => {
    const { tap, actuator } = rig();
    const ticks = [1, 2, 3].map((wireSequence) => actuated({ wireSequence, torque: 0.2 * wireSequence }));
    await lastValueFrom(from(ticks).pipe(actuate(actuator), toArray()));
    expect(tap.writes).toBe(3);
    expect(tap.all('command').map(({ answers, wheelTorque }) => [answers, ...wheelTorque])).toEqual([
      [1, expect.closeTo(0.1, 3), expect.closeTo(0.1, 3)],
      [2, expect.closeTo(0.2, 3), expect.closeTo(0.2, 3)],
      [3, expect.closeTo(0.3, 3), expect.closeTo(0.3, 3)],
    ]);
    expect(tap.frames.map((frame) => frame.sequence)).toEqual([0, 1, 2]);
  });

  it('measures from the arrival of the frame to the end of the write', async () => {
    const { clock, actuator } = rig();
    clock.now = 5_000_000n;
    const [tick] = await lastValueFrom(from([actuated({ arrivedNs: 4_750_000n })]).pipe(actuate(actuator), toArray()));
    expect(tick?.latencyUs).toBe(290);
  });

  it('says of each command whether it went out, and never sends one again', async () => {
    const { tap, actuator } = rig();
    tap.open = false;
    const [lost] = await lastValueFrom(from([actuated()]).pipe(actuate(actuator), toArray()));
    expect(lost?.written).toBe(false);
    tap.open = true;
    const [sent] = await lastValueFrom(from([actuated()]).pipe(actuate(actuator), toArray()));
    expect(sent?.written).toBe(true);
    expect(tap.writes).toBe(2);
  });

  it('takes the encoder of the session of now', async () => {
    const tap = new HostTap();
    let encoder = new FrameEncoder({ firstSequence: 10 });
    const actuator = { encoder: () => encoder, write: tap.write, nowNs: () => 0n };
    const run = () => lastValueFrom(from([actuated()]).pipe(actuate(actuator), toArray()));
    await run();
    encoder = new FrameEncoder({ firstSequence: 500 });
    await run();
    expect(tap.frames.map((frame) => frame.sequence)).toEqual([10, 500]);
  });

  it('stamps the time of now modulo 2^32 µs', async () => {
    const { tap, clock, actuator } = rig();
    clock.now = (2n ** 32n + 7n) * 1000n;
    await lastValueFrom(from([actuated()]).pipe(actuate(actuator), toArray()));
    expect(tap.frames[0]?.time).toBe(7);
  });

  it('writes in the turn in which the tick comes', () => {
    new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(({ cold, expectObservable }) => {
      const { actuator } = rig();
      const ticks$ = cold('a--(bc)|', { a: actuated(), b: actuated(), c: actuated() });
      const written = expect.objectContaining({ written: true });
      expectObservable(ticks$.pipe(actuate(actuator))).toBe('a--(bc)|', { a: written, b: written, c: written });
    });
  });
});
