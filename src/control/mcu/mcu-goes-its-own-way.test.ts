import { beforeEach, describe, expect, it } from 'vitest';
import { type Hello, McuState } from '../../protocol/messages.gen.ts';
import { reasons } from '../../safety/supervisor.ts';
import { clock, controlLoop } from '../control-loop.testing.ts';
import { McuWire, mcuHello } from '../frames.testing.ts';

type Loop = ReturnType<typeof controlLoop>;
let loop: Loop;
let wire: McuWire;
beforeEach(() => {
  loop = controlLoop();
  wire = new McuWire();
});

type Sample = Parameters<McuWire['sensors']>[0];
/** So many frames, 5 ms apart for the host too. */
function frames(count: number, over: Sample = {}): void {
  for (let frame = 0; frame < count; frame++) {
    clock.now += 5_000_000n;
    loop.push(wire.sensors(over));
  }
}
const state = () => loop.control.safety.robotState;
const active = () => reasons(loop.control.safety.active);
const requested = () => loop.tap.all('command').map((command) => command.requestedState);

function run(): void {
  frames(150);
  expect(loop.enter()).toBeUndefined();
  frames(5);
  frames(20, { state: 'active' });
  expect(state()).toBe('running');
}

/** A watchdog reset: sequence, clock, latch and state begin anew, and the MCU obeys nobody. */
function restart(over: Partial<Hello> = {}): void {
  wire = new McuWire();
  loop.push(wire.send(mcuHello({ nonce: 78, peerNonce: 0, ...over })));
}
const obey = (nonce = 78) => loop.push(wire.send(mcuHello({ nonce, peerNonce: loop.session.nonce })));

describe('an MCU that restarts while the robot is disarmed', () => {
  it.each([1, 5])('does not keep it from being armed, be it %i times', (times) => {
    frames(150);
    for (let time = 0; time < times; time++) {
      restart({ nonce: 100 + time });
      obey(100 + time);
      frames(10);
    }
    frames(150);
    expect(active()).toEqual([]);
    expect(loop.enter()).toBeUndefined();
    frames(5);
    frames(50, { state: 'active' });
    expect(state()).toBe('running');
  });
});

describe('an MCU that restarts while the robot runs', () => {
  const watch = () => {
    const before = requested().length;
    return () => requested().slice(before);
  };

  it('finds the robot limp, and is never made active again by itself', () => {
    run();
    const since = watch();
    restart();
    obey();
    frames(1);
    expect(state()).toBe('limp');
    expect(active()).toContain('mcu-restarted');
    frames(1000);
    expect(state()).toBe('limp');
    expect(since()).toHaveLength(1001);
    expect(since()).not.toContain('active');
  });

  it('is not made active again by a command of before: it is greeted under a new nonce', () => {
    run();
    const old = loop.session.nonce;
    restart();
    expect(loop.session.nonce).not.toBe(old);
    obey();
    frames(10);
    expect(
      loop.tap
        .all('command')
        .slice(-10)
        .every((command) => command.session === loop.session.nonce),
    ).toBe(true);
  });

  it('is not made active again although its greeting was lost', () => {
    run();
    const since = watch();
    wire = new McuWire();
    frames(1000, { commandFresh: false });
    expect(since()).not.toContain('active');
    expect(['limp', 'braking']).toContain(state());
  });

  it('is not made active again although it restarts a second time', () => {
    run();
    const since = watch();
    for (const nonce of [78, 79]) {
      restart({ nonce });
      obey(nonce);
      frames(50);
    }
    expect(since()).not.toContain('active');
    expect(state()).toBe('limp');
  });

  it('may be armed again after a disarming, by a person', () => {
    run();
    restart();
    obey();
    frames(150);
    expect(loop.enter()?.code).toContain('mcu-restarted');
    loop.control.disarm();
    frames(1);
    expect(loop.enter()).toBeUndefined();
  });
});

describe('an MCU that drives although it was told not to', () => {
  it('is stopped after 20 frames, and not before', () => {
    frames(150);
    frames(20, { state: 'active' });
    expect(state()).toBe('disarmed');
    expect(loop.tap.count('estop')).toBe(0);
    frames(1, { state: 'active' });
    expect(state()).toBe('estopped');
    expect(active()).toContain('mcu-disobeys');
    expect(loop.tap.kinds).toContain('estop');
  });

  it('is stopped also after a mode that has ended', () => {
    run();
    loop.control.disarm();
    frames(21, { state: 'active' });
    expect(state()).toBe('estopped');
  });

  it('is not stopped while the robot runs, nor for a moment at its end, again and again', () => {
    run();
    frames(200, { state: 'active' });
    for (let time = 0; time < 5; time++) {
      loop.control.disarm();
      frames(15, { state: 'active' });
      frames(5);
      expect(loop.enter()).toBeUndefined();
      frames(15, { state: 'active' });
    }
    expect(state()).toBe('running');
  });

  it.each(Object.values(McuState).filter((one) => one !== 'active' && one !== 'estopped'))(
    'is not taken for one that is %s',
    (one) => {
      frames(150);
      frames(50, { state: one });
      expect(active()).not.toContain('mcu-disobeys');
    },
  );
});

describe('an MCU whose clock stands still', () => {
  /** Frames with the time of the first one. */
  function stuck(count: number): void {
    const still = new McuWire({ firstSequence: 175, firstTime: 175 * 5000, period: 0 });
    wire = still;
    frames(count, { state: 'active' });
  }

  it('brakes the robot after three frames, and asks for no torque', () => {
    run();
    stuck(3);
    expect(state()).toBe('running');
    frames(1, { state: 'active' });
    expect(state()).toBe('braking');
    expect(active()).toContain('clock-stuck');
    const last = loop.tap.all('command').at(-1);
    expect(last).toMatchObject({ requestedState: 'braking', wheelTorque: [0, 0] });
  });
});

describe('an MCU that has lost the session', () => {
  const greetings = () => loop.tap.count('hello');

  it('is greeted anew after 100 frames without a fresh command, and not before', () => {
    frames(150);
    const before = greetings();
    frames(99, { commandFresh: false });
    expect(greetings()).toBe(before);
    frames(1, { commandFresh: false });
    expect(greetings()).toBe(before + 1);
    expect(loop.session.state).toBe('waiting');
    obey(77);
    frames(1);
    expect(loop.session.state).toBe('accepted');
    expect(loop.session.foreignHellos).toBe(0);
  });

  it('is not greeted for a moment of deafness, however often', () => {
    frames(150);
    const before = greetings();
    for (let time = 0; time < 20; time++) {
      frames(50, { commandFresh: false });
      frames(1);
    }
    expect(greetings()).toBe(before);
  });

  it('can be armed once it hears again', () => {
    frames(150);
    frames(100, { commandFresh: false });
    obey(77);
    frames(150);
    expect(loop.enter()).toBeUndefined();
  });
});
