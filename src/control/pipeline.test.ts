import fc from 'fast-check';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import type { Sensors } from '../protocol/messages.gen.ts';
import { clock, controlLoop, policies } from './control-loop.testing.ts';
import { FakePolicy } from './controllers/policy-runner.testing.ts';
import { cut, join, leaning, McuWire, mcuHello } from './frames.testing.ts';
import { pipeline } from './pipeline.ts';
import type { Chunk } from './tick.ts';

/** Lets promises of a policy come to their end. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Noise between frames: what never is a frame, closed by its own delimiters. */
const garbage = fc
  .uint8Array({ maxLength: 200 })
  .map((bytes) => Uint8Array.of(0, ...bytes.map((byte) => byte || 1), 0));

describe('the control loop', () => {
  it('answers every frame with exactly one command that names it, in order, through any chunks and noise', () => {
    fc.assert(
      fc.property(
        fc.array(garbage, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(4000), { maxLength: 20 }),
        fc.nat(0xffff),
        (noise, places, firstSequence) => {
          const { push, tap, rows, ...rest } = controlLoop();
          const wire = new McuWire({ firstSequence });
          const bytes = join(...noise.flatMap((between) => [wire.sensors(), between]));
          for (const piece of cut(bytes, places)) push(piece);
          const wanted = noise.map((_, index) => (firstSequence + index) & 0xffff);
          expect(tap.all('command').map((command) => command.answers)).toEqual(wanted);
          expect(tap.kinds.filter((kind) => kind !== 'hello' && kind !== 'command')).toEqual([]);
          expect(rows.map((row) => Number(row.sequence))).toEqual(
            noise.slice(1).map((_, index) => firstSequence + index),
          );
          expect(rest.ticks).toHaveLength(noise.length);
        },
      ),
    );
  });

  it('answers in the turn in which a frame is complete, and gives the row with the frame after it', () => {
    new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(({ cold, flush, expectObservable }) => {
      const { stages, tap } = controlLoop();
      const wire = new McuWire({ firstSequence: 7 });
      const [one, two, three] = [wire.sensors(), wire.sensors(), wire.sensors()];
      const chunks$ = cold<Chunk>('a-b-c--d', {
        a: { bytes: one, arrivedNs: 0n },
        b: { bytes: two.subarray(0, 9), arrivedNs: 0n },
        c: { bytes: two.subarray(9), arrivedNs: 0n },
        d: { bytes: three, arrivedNs: 0n },
      });
      const row = (sequence: bigint) => expect.objectContaining({ sequence });
      expectObservable(pipeline(chunks$, stages)).toBe('----x--y', { x: row(7n), y: row(8n) });
      flush();
      expect(tap.all('command').map((command) => command.answers)).toEqual([7, 8, 9]);
    });
  });

  it('sends commands without torque until the robot is armed, and drives after', () => {
    const { push, enter, tap } = controlLoop();
    const wire = new McuWire();
    const lean: Partial<Sensors> = { attitude: leaning(0.05) };
    for (let frame = 0; frame < 120; frame++) push(wire.sensors(lean));
    expect(tap.all('command').every((command) => command.requestedState === 'idle')).toBe(true);
    expect(tap.all('command').every((command) => command.wheelTorque.every((torque) => torque === 0))).toBe(true);
    expect(enter()).toBeUndefined();
    push(wire.sensors({ ...lean, state: 'active' }));
    const last = tap.all('command').at(-1);
    expect(last?.requestedState).toBe('active');
    expect(last?.wheelTorque[0]).toBeGreaterThan(0);
  });

  it('sends no torque after a stop, whatever it was about to send', async () => {
    const policy = new FakePolicy(clock, { action: 1 });
    policies.set('fake', policy);
    const { push, control, enter, tap } = controlLoop();
    const wire = new McuWire();
    for (let frame = 0; frame < 120; frame++) push(wire.sensors());
    expect(enter({ task: 'standing-still', controller: 'fake' })).toBeUndefined();
    push(wire.sensors({ state: 'active' }));
    // The policy is at work; its answer comes after the stop.
    void control.estop('anna');
    await settled();
    const last = tap.all('command').at(-1);
    expect(last).toMatchObject({ answers: 120, requestedState: 'idle', wheelTorque: [0, 0] });
  });

  it('answers every frame under a policy too, in order, while it thinks', async () => {
    const policy = new FakePolicy(clock, { rate: 100, action: 0.1 });
    policies.set('fake', policy);
    const rig = controlLoop();
    const wire = new McuWire();
    for (let frame = 0; frame < 120; frame++) rig.push(wire.sensors());
    expect(rig.enter({ task: 'standing-still', controller: 'fake' })).toBeUndefined();
    for (let frame = 0; frame < 30; frame++) {
      rig.push(wire.sensors({ state: 'active' }));
      if (frame % 7 === 0) await settled();
    }
    await settled();
    await settled();
    expect(rig.answers).toEqual(Array.from({ length: 150 }, (_, index) => index));
    expect(rig.rows).toHaveLength(149);
    expect(rig.rows.slice(121).every((row) => row.controller === 'policy' && row.policyHash === 0xabcn)).toBe(true);
    expect(policy.asked).toHaveLength(15);
  });

  it('says in its rows what was asked, what was sent and what was applied', () => {
    const { push, enter, rows, tap } = controlLoop();
    const wire = new McuWire();
    for (let frame = 0; frame < 120; frame++) push(wire.sensors());
    enter();
    push(wire.sensors({ state: 'active', attitude: leaning(0.1) }));
    push(wire.sensors({ state: 'active', attitude: leaning(0.1), wheelTorqueApplied: [0.11, 0.12] }));
    const row = rows.at(-1);
    const sent = tap.all('command').at(-2)?.wheelTorque ?? [0, 0];
    expect(row?.requestedTorque).toBeGreaterThan(0);
    expect(row?.commandedTorque).toBeCloseTo(sent[0] + sent[1], 2);
    expect(row?.appliedTorque).toBeCloseTo(0.23, 9);
    expect(row).toMatchObject({ robotState: 'running', controller: 'balancer', task: 'standing-still', step: 0 });
  });

  it('writes no row over missing frames, and still answers what came', () => {
    const rig = controlLoop();
    const wire = new McuWire();
    rig.push(wire.sensors());
    rig.push(wire.sensors());
    wire.lose(3);
    rig.push(wire.sensors());
    rig.push(wire.sensors());
    expect(rig.answers).toEqual([0, 1, 5, 6]);
    expect(rig.rows.map((row) => row.sequence)).toEqual([0n, 5n]);
    expect(rig.rows[0]?.episode).not.toBe(rig.rows[1]?.episode);
  });

  it('goes on after the MCU was restarted, without a row between its lives', () => {
    const rig = controlLoop();
    const before = new McuWire({ firstSequence: 900, firstTime: 9e6 });
    rig.push(join(before.sensors(), before.sensors()));
    const after = new McuWire();
    rig.push(after.send(mcuHello({ nonce: 4711, peerNonce: 0 })));
    rig.push(
      join(after.send(mcuHello({ nonce: 4711, peerNonce: rig.session.nonce })), after.sensors(), after.sensors()),
    );
    expect(rig.answers).toEqual([900, 901, 0, 1]);
    expect(rig.rows).toHaveLength(2);
    expect(rig.rows.map((row) => row.mcuTimeUs)).toEqual([9_000_000n, 0n]);
    expect(rig.rows[1]?.episode).not.toBe(rig.rows[0]?.episode);
    expect(rig.control.safety.robotState).toBe('disarmed');
  });

  it('answers on when the port does not take a command', () => {
    const rig = controlLoop();
    const wire = new McuWire();
    rig.push(wire.sensors());
    rig.tap.open = false;
    rig.push(wire.sensors());
    rig.tap.open = true;
    rig.push(wire.sensors());
    expect(rig.answers).toEqual([0, 2]);
    expect(rig.ticks.map((tick) => tick.written)).toEqual([true, false, true]);
  });
});
