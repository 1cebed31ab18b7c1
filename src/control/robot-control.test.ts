import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limitNames } from '../messages/states.ts';
import { reasons } from '../safety/supervisor.ts';
import { latchOnDisk, type RobotControlRig, robotControlRig, standing } from './control-rig.testing.ts';
import { accept } from './frames.testing.ts';
import { EstopLatch } from './stopping/estop-latch.ts';

let disk: ReturnType<typeof latchOnDisk>;
let rig: RobotControlRig;
beforeEach(() => {
  disk = latchOnDisk();
  rig = robotControlRig({ latch: disk.latch });
});
afterEach(() => disk.remove());

const state = () => rig.control.safety.robotState;
const active = () => reasons(rig.control.safety.active);
/** The latch as a restarted process finds it. */
function onDisk(): EstopLatch {
  const latch = new EstopLatch(disk.path);
  latch.load();
  return latch;
}
function breakDisk(): void {
  rmSync(join(disk.folder, 'state'), { recursive: true, force: true });
  writeFileSync(join(disk.folder, 'state'), '');
}
/** The MCU gives in: its frames say so while the reset waits. */
const mcuGivesIn = async () => void rig.frame({ state: 'idle' });

describe('starting', () => {
  it('begins disarmed, and every frame is answered with no torque', () => {
    rig.settle();
    const { command, robotState, limits } = rig.frame({}, { request: { total: 2, steering: 1 } } as never);
    expect(robotState).toBe('disarmed');
    expect(command).toMatchObject({ requestedState: 'idle', wheelTorque: [0, 0] });
    expect(limitNames(limits)).toContain('not-running');
  });

  it('begins e-stopped when the latch is on disk', async () => {
    await rig.control.estop('anna');
    const again = robotControlRig({ latch: onDisk() });
    expect(again.control.safety.robotState).toBe('estopped');
    again.settle();
    expect(again.enter(standing)?.code).toContain('estop');
  });

  it('arms when everything is in order', () => {
    rig.settle();
    expect(rig.enter(standing)).toBeUndefined();
    expect(state()).toBe('running');
    expect(rig.frame({ state: 'active' }).command.requestedState).toBe('active');
  });

  it('names everything that is in the way, and stays disarmed', () => {
    rig.control.linkChanged(true);
    const refusal = rig.enter(standing);
    for (const id of ['session', 'frames', 'rate']) expect(refusal?.code).toContain(id);
    expect(refusal?.remedy).not.toBe('');
    expect(state()).toBe('disarmed');
  });

  it('says why a policy that was refused cannot be armed', () => {
    rig = robotControlRig({ refusedPolicies: new Map([['mine', 'signature: unknown key']]) });
    rig.settle();
    const refusal = rig.enter({ task: 'standing-still', controller: 'mine' });
    expect(refusal?.message).toContain('signature: unknown key');
    expect(rig.enter({ task: 'standing-still', controller: 'yours' })?.message).toContain('"yours"');
  });

  it('is refused at a rate for which there is no balancer', () => {
    rig.settle({ sensorRate: 400 });
    expect(rig.enter(standing)?.message).toContain('400 Hz');
  });

  it('lets a running robot change its mode, as a new episode of the same x when the task is the same', () => {
    rig.run();
    const before = rig.episodes.observe(rig.frame({ state: 'active' }));
    expect(rig.enter({ ...standing, targetVelocity: 0.1 })).toBeUndefined();
    const after = rig.episodes.observe(rig.frame({ state: 'active' }, { estimate: { x: 1 } }));
    expect(after).toMatchObject({ episode: before.episode + 1, step: 0, origin: before.origin });
    expect(rig.enter({ task: 'moving-straight', controller: 'balancer' })).toBeUndefined();
    expect(rig.episodes.observe(rig.frame({ state: 'active' }, { estimate: { x: 7 } })).origin).toBe(7);
  });
});

describe('an e-stop', () => {
  it('is on the wire and in force before the call returns, and before the disk was touched', () => {
    rig.run();
    void rig.control.estop('anna');
    expect(rig.tap.kinds.at(-1)).toBe('estop');
    expect(state()).toBe('estopped');
    expect(rig.latch.latched).toBe(true);
    expect(onDisk().latched).toBe(false);
  });

  it('takes the torque off the very next command', () => {
    rig.run();
    void rig.control.estop('anna');
    expect(rig.frame({ state: 'active' }).command).toMatchObject({ requestedState: 'idle', wheelTorque: [0, 0] });
  });

  it('is on disk when it says so, with who asked', async () => {
    rig.run();
    expect(await rig.control.estop('anna')).toBe(true);
    expect(onDisk()).toMatchObject({ latched: true, source: 'anna' });
  });

  it('works in every state, also without a port', async () => {
    expect(await rig.control.estop('anna')).toBe(true);
    expect(state()).toBe('estopped');
  });

  it('a thousand times over costs one frame and one write', async () => {
    rig.run();
    const before = rig.tap.count('estop');
    const stops = Array.from({ length: 1000 }, (_, index) => rig.control.estop(`flood ${index}`));
    expect(rig.tap.count('estop') - before).toBe(1);
    expect(await Promise.all(stops)).toEqual(stops.map(() => true));
    expect(onDisk().source).toBe('flood 0');
    expect(rig.events.filter(({ event }) => event === 'estop')).toHaveLength(1);
  });

  it('that the MCU ignores is sent again and again, but not with every frame', () => {
    rig.run();
    void rig.control.estop('anna');
    const before = rig.tap.count('estop');
    rig.frames(100, { state: 'active' });
    const reminders = rig.tap.count('estop') - before;
    expect(reminders).toBeGreaterThanOrEqual(5);
    expect(reminders).toBeLessThanOrEqual(12);
  });

  it('that the MCU follows is not sent again', () => {
    rig.run();
    void rig.control.estop('anna');
    const before = rig.tap.count('estop');
    // The MCU says so every 100 ms.
    for (let echo = 0; echo < 5; echo++) {
      rig.echo(1);
      rig.frames(20, { state: 'estopped' });
    }
    expect(rig.tap.count('estop')).toBe(before);
  });

  it('reaches an MCU that was away when it was asked for', () => {
    rig.run();
    rig.control.linkChanged(false);
    rig.tap.open = false;
    void rig.control.estop('anna');
    rig.tap.open = true;
    rig.settle();
    const before = rig.tap.count('estop');
    rig.frames(20, { state: 'idle' });
    expect(rig.tap.count('estop')).toBeGreaterThan(before);
  });

  it('of the MCU itself latches here too, and on disk', async () => {
    rig.run();
    rig.frame({ state: 'estopped' });
    expect(state()).toBe('estopped');
    expect(rig.latch).toMatchObject({ latched: true, source: 'mcu-estopped' });
    expect(await rig.latch.persisted()).toBe(true);
    expect(onDisk()).toMatchObject({ latched: true, source: 'mcu-estopped' });
  });

  it('outlives the MCU: one that comes back idle is stopped again', () => {
    rig.run();
    void rig.control.estop('anna');
    rig.echo(1);
    rig.frame({ state: 'estopped' });
    const before = rig.tap.count('estop');
    rig.frames(100, { state: 'idle' });
    expect(rig.tap.count('estop')).toBeGreaterThan(before);
    expect(state()).toBe('estopped');
  });

  it('is not undone by disarming or by a mode', async () => {
    rig.run();
    void rig.control.estop('anna');
    rig.control.disarm();
    expect(state()).toBe('estopped');
    expect(rig.enter(standing)?.code).toContain('state');
    expect(rig.enter({ task: 'disarmed' })).toBeUndefined();
    expect(state()).toBe('estopped');
  });
});

describe('a disk that fails', () => {
  it('neither delays nor undoes a stop, and the stop says that it is not on disk', async () => {
    rig.run();
    breakDisk();
    const persisted = rig.control.estop('anna');
    expect(state()).toBe('estopped');
    expect(rig.tap.kinds.at(-1)).toBe('estop');
    expect(await persisted).toBe(false);
    rig.frame({ state: 'estopped' });
    expect(state()).toBe('estopped');
    expect(active()).toContain('estop-not-persisted');
  });

  it('refuses arming by name', async () => {
    rig.run();
    breakDisk();
    await rig.control.estop('anna');
    rig.frame({ state: 'estopped' });
    expect(rig.enter(standing)?.code).toContain('estop-not-persisted');
  });

  it('refuses the reset and leaves everything latched', async () => {
    rig.run();
    await rig.control.estop('anna');
    breakDisk();
    expect(await rig.control.reset(mcuGivesIn)).toMatchObject({ code: 'latch-not-removed' });
    expect(state()).toBe('estopped');
    expect(rig.latch.latched).toBe(true);
    rig.frame({ state: 'idle' });
    expect(state()).toBe('estopped');
  });
});

describe('a reset', () => {
  it('clears the latch of the MCU, then that on disk, then that in memory', async () => {
    rig.run();
    await rig.control.estop('anna');
    rig.echo(7);
    rig.frame({ state: 'estopped' });
    const done = rig.control.reset(async () => {
      rig.frame({ state: 'estopped' });
      expect(rig.tap.all('clear')).toEqual([{ kind: 'clear', session: rig.session.nonce, latch: 7 }]);
      expect(onDisk().latched).toBe(true);
      expect(state()).toBe('estopped');
      rig.frame({ state: 'idle' });
    });
    expect(await done).toBeUndefined();
    expect(onDisk().latched).toBe(false);
    expect(rig.latch.latched).toBe(false);
    expect(state()).toBe('disarmed');
  });

  it('repeats its clear until the MCU follows, and then no more', async () => {
    rig.run();
    await rig.control.estop('anna');
    await rig.control.reset(async () => {
      rig.frames(100, { state: 'estopped' });
      rig.frame({ state: 'idle' });
    });
    const clears = rig.tap.count('clear');
    expect(clears).toBeGreaterThanOrEqual(5);
    expect(clears).toBeLessThanOrEqual(12);
    rig.frames(50, { state: 'idle' });
    expect(rig.tap.count('clear')).toBe(clears);
  });

  it('is refused while the MCU stays faulted, by that name, and the stop goes on', async () => {
    rig.run();
    await rig.control.estop('anna');
    const refusal = await rig.control.reset(async () => void rig.frame({ state: 'faulted', faults: 2 }));
    expect(refusal).toMatchObject({ code: 'mcu-latched', message: expect.stringContaining('faulted') });
    expect(state()).toBe('estopped');
    expect(onDisk().latched).toBe(true);
    const clears = rig.tap.count('clear');
    rig.frames(50, { state: 'faulted' });
    expect(rig.tap.count('clear')).toBe(clears);
  });

  it('is refused when the MCU cannot be reached', async () => {
    await rig.control.estop('anna');
    expect(await rig.control.reset(async () => {})).toMatchObject({ code: 'mcu-unreachable' });
    rig.settle();
    rig.control.linkChanged(false);
    expect(await rig.control.reset(async () => {})).toMatchObject({ code: 'mcu-unreachable' });
    expect(state()).toBe('estopped');
    expect(onDisk().latched).toBe(true);
  });

  it('takes no word of the MCU for true that is older than the present session', async () => {
    rig.settle();
    await rig.control.estop('anna');
    rig.session.closed();
    rig.control.linkChanged(false);
    rig.session.opened();
    rig.control.linkChanged(true);
    accept(rig.session);
    expect(await rig.control.reset(async () => {})).toMatchObject({ code: 'mcu-latched' });
    expect(state()).toBe('estopped');
    expect(await rig.control.reset(mcuGivesIn)).toBeUndefined();
  });

  it('does not bring the stop back by facts from before it', async () => {
    rig.run();
    await rig.control.estop('anna');
    rig.frame({ state: 'estopped' });
    expect(await rig.control.reset(mcuGivesIn)).toBeUndefined();
    rig.control.linkSilent(true);
    expect(state()).toBe('disarmed');
    rig.control.linkSilent(false);
    rig.control.linkChanged(false);
    expect(state()).toBe('disarmed');
    expect(rig.latch.latched).toBe(false);
  });

  it('leaves the robot ready to be armed again', async () => {
    rig.run();
    await rig.control.estop('anna');
    await rig.control.reset(mcuGivesIn);
    rig.frame({ state: 'idle' });
    expect(rig.enter(standing)).toBeUndefined();
  });

  it('forgets the other host that was seen before it', async () => {
    rig.run();
    accept(rig.session);
    rig.frame();
    expect(active()).toContain('foreign-host');
    await rig.control.estop('anna');
    await rig.control.reset(mcuGivesIn);
    rig.frame();
    expect(active()).not.toContain('foreign-host');
  });

  it('clears a latched watchdog, for which nobody had stopped', async () => {
    rig.run();
    rig.session.latchCause = 'watchdog';
    rig.frame({ state: 'braking' });
    expect(active()).toContain('mcu-watchdog');
    expect(await rig.control.reset(mcuGivesIn)).toBeUndefined();
    rig.frame();
    expect(active()).toEqual([]);
    expect(state()).toBe('disarmed');
  });
});

describe('the failsafe', () => {
  it('brakes a running robot whose port is lost', () => {
    rig.run();
    rig.control.linkChanged(false);
    expect(state()).toBe('braking');
    expect(active()).toContain('link-lost');
  });

  it('only warns of silence', () => {
    rig.run();
    rig.control.linkSilent(true);
    expect(state()).toBe('running');
    expect(active()).toContain('sensor-silence');
    rig.control.linkSilent(false);
    rig.frame({ state: 'active' });
    expect(active()).toEqual([]);
  });

  it('gives up on an MCU that does not become active, but not at once', () => {
    rig.settle();
    rig.enter(standing);
    rig.frames(20, { state: 'idle' });
    expect(state()).toBe('running');
    rig.frames(2, { state: 'idle' });
    expect(state()).toBe('limp');
    expect(active()).toContain('mcu-not-active');
  });

  it('gives a new mode the same patience again', () => {
    rig.settle();
    rig.enter(standing);
    rig.frames(15, { state: 'idle' });
    rig.control.disarm();
    rig.frame({ state: 'idle' });
    rig.enter(standing);
    rig.frames(15, { state: 'idle' });
    expect(state()).toBe('running');
  });

  it('takes the hottest of all sensors that take turns, and 255 for none', () => {
    rig.settle();
    rig.frame({ temperature: 90 });
    for (let turn = 0; turn < 7; turn++) rig.frame({ temperature: turn === 3 ? 255 : 30 });
    expect(rig.control.latest.temperature).toBe(90);
    rig.frame({ temperature: 40 });
    expect(rig.control.latest.temperature).toBe(40);
  });

  it('makes every row say which conditions and limits acted', () => {
    rig.run();
    const { conditions, limits } = rig.frame({ state: 'active', battery: 24 }, {
      request: { total: 100, steering: 0 },
      requestLimits: 4,
      estimate: { tilt: 1 },
    } as never);
    expect(reasons(conditions)).toEqual(['tilt']);
    expect(limitNames(limits)).toEqual(['not-running', 'policy-range']);
  });

  it('answers each frame under its own number, in the name of this session', () => {
    rig.settle();
    const { command } = rig.frame({}, { wireSequence: 65_535 });
    expect(command).toMatchObject({ answers: 65_535, session: rig.session.nonce });
  });

  it('ramps the torque from command to command', () => {
    rig.run();
    const ask = { request: { total: 3, steering: 0 } } as never;
    const torques = [1, 2, 3].map(() => rig.frame({ state: 'active' }, ask).command.wheelTorque[0]);
    const { wheelTorqueSlew, wheelTorque } = rig.robot.limits;
    const step = wheelTorqueSlew * 0.005;
    expect(torques).toEqual([step, Math.min(2 * step, wheelTorque), wheelTorque]);
    expect(rig.control.sentTorque).toBe(2 * wheelTorque);
  });
});

describe('events', () => {
  it('tell each change of state once, with the mode', () => {
    rig.run();
    rig.frames(5, { state: 'active' });
    rig.control.disarm();
    const changes = rig.events.filter(({ event }) => event === 'state').map(({ from, to }) => [from, to]);
    expect(changes).toEqual([
      ['disarmed', 'running'],
      ['running', 'disarmed'],
    ]);
  });
});
