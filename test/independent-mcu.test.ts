import { describe, expect, it, onTestFailed, onTestFinished } from 'vitest';
import { IndependentProgram, type Line, pythonIsMissing } from '../firmware-protocol/test/independent-program.ts';
import { endProcess, patientHost, reasonsOf, refusalOf, STAND, TestRobot, until } from './harness.ts';

/**
 * The claim of PROTOCOL.md: who has read that page can write a motor controller that works with this host. independent_mcu.py
 * was written so. Its clock and its sequences wrap within the first seconds of each of these tests.
 */

interface McuState {
  readonly state: string;
  readonly latch: number;
  readonly cause: string;
  readonly host: number;
  /** MCU time [µs], not wrapped */
  readonly now: number;
  readonly pitch: number;
  readonly position: number;
  readonly fresh: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
}

/** The Python program on a pty of its own making. */
class IndependentMcu {
  readonly program = new IndependentProgram('serve');

  static async start(): Promise<{ mcu: IndependentMcu; robot: TestRobot }> {
    const mcu = new IndependentMcu();
    onTestFinished(() => endProcess(mcu.program.child));
    onTestFailed(() => {
      process.stderr.write(
        `${mcu.program.complaint}\n${mcu.program.events.map((event) => JSON.stringify(event)).join('\n')}\n`,
      );
    });
    const { path } = await mcu.heard('its port', ({ event }) => event === 'port');
    const robot = await TestRobot.onPort(String(path), { robotFile: patientHost });
    await robot.startControl();
    return { mcu, robot };
  }

  async state(): Promise<McuState> {
    return (await this.program.ask({ verb: 'state' })) as unknown as McuState;
  }

  heard(what: string, isIt: (event: Line) => boolean): Promise<Line> {
    return until(what, () => this.program.events.find(isIt));
  }

  /** States that it entered, in order. */
  get path(): unknown[] {
    return this.program.events.filter(({ event }) => event === 'state').map(({ to }) => to);
  }

  until(what: string, isSo: (state: McuState) => boolean): Promise<McuState> {
    return until(what, async () => {
      const state = await this.state();
      return isSo(state) && state;
    });
  }

  /** Lets MCU time pass. @returns every state seen in that time */
  async wait(seconds: number): Promise<McuState[]> {
    const seen = [await this.state()];
    const end = (seen[0]?.now ?? 0) + seconds * 1e6;
    await this.until(`${seconds} s later`, (state) => seen.push(state) > 0 && state.now >= end);
    return seen;
  }

  async standing(robot: TestRobot): Promise<void> {
    await robot.arm();
    await this.until('active', ({ state }) => state === 'active');
    await this.wait(1);
  }
}

describe.skipIf(pythonIsMissing)(`a motor controller written from the page alone${pythonIsMissing}`, () => {
  it('is accepted, armed and balanced', async () => {
    const { mcu, robot } = await IndependentMcu.start();
    const { mcu: peer } = await robot.status('its hello was taken in', (status) => status.mcu.sensorRate === 200);
    expect(peer).toMatchObject({ session: 'accepted', state: 'idle', latchCause: 'none' });
    expect(peer.peer).toContain('wheel-legged python');
    await mcu.standing(robot);

    const before = await mcu.state();
    const seen = await mcu.wait(5);
    for (const { state, pitch, position } of seen) {
      expect(state).toBe('active');
      expect(Math.abs(pitch)).toBeLessThan(0.05);
      expect(Math.abs(position)).toBeLessThan(0.5);
    }
    // Past both wraps. Nothing was lost ever, nothing refused since it answers in step.
    const { now, counts, refused, cause } = await mcu.state();
    expect(now).toBeGreaterThan(2 ** 32);
    expect(Object.keys(counts)).toEqual(['accepted']);
    expect(refused).toEqual(before.refused);
    expect(cause).toBe('none');
    const { counters, state } = await robot.control.status();
    expect(state).toBe('running');
    // The port was opened in the middle of a frame, maybe; all that came later was taken.
    const bad = Object.entries(counters).filter(([name, count]) => name.startsWith('frames.') && count > 0);
    expect(bad.map(([name]) => name).filter((name) => name !== 'frames.malformed')).toEqual(['frames.accepted']);
    expect(counters['frames.malformed']).toBeLessThanOrEqual(1);
    await robot.control.disarm();
    await mcu.until('idle', ({ state: ended }) => ended === 'idle');
    expect(mcu.path).toEqual(['active', 'idle']);
  });

  it('echoes an emergency stop, and a reset brings it back to idle', async () => {
    const { mcu, robot } = await IndependentMcu.start();
    await mcu.standing(robot);
    const { stages } = await robot.control.estop('test');
    expect(stages).toContain('confirmed');
    expect(await mcu.state()).toMatchObject({ state: 'estopped', cause: 'estop' });
    expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(/estop/);

    await robot.reset();
    await mcu.until('idle', ({ state, cause }) => state === 'idle' && cause === 'none');
    await mcu.standing(robot);
    expect(mcu.path.filter((state) => state !== 'estopped')).toEqual(['active', 'idle', 'active']);
  });

  it('obeys its own stop input, and stands again after its release and a reset', async () => {
    const { mcu, robot } = await IndependentMcu.start();
    await mcu.standing(robot);
    mcu.program.tell({ verb: 'stop-input', pressed: true });
    const status = await robot.status('control knows', ({ state }) => state === 'estopped');
    expect(status.mcu).toMatchObject({ latchCause: 'estop' });
    // Whatever the host makes of this: the motor controller has the last word.
    await robot.reset().catch(() => undefined);
    await mcu.wait(0.5);
    expect(await mcu.state()).toMatchObject({ state: 'estopped', cause: 'estop' });
    mcu.program.tell({ verb: 'stop-input', pressed: false });
    await robot.reset();
    await mcu.until('idle', ({ state }) => state === 'idle');
    await mcu.standing(robot);
  });

  it('brakes by its watchdog when control is killed, goes limp, and is cleared by the next control', async () => {
    const { mcu, robot } = await IndependentMcu.start();
    await mcu.standing(robot);
    await robot.killControl();
    const braking = await mcu.heard('braking', ({ to }) => to === 'braking');
    expect(braking).toMatchObject({ cause: 'watchdog', from: 'active' });
    const limp = await mcu.heard('limp', ({ to }) => to === 'limp');
    expect(limp).toMatchObject({ cause: 'watchdog', from: 'braking' });
    expect(Number(limp.at) - Number(braking.at)).toBe(1_000_000);

    await robot.startControl();
    const status = await robot.status('the latch is seen', ({ mcu: { state } }) => state === 'limp');
    expect(reasonsOf(status)).toContain('mcu-watchdog');
    await robot.reset();
    await mcu.until('idle', ({ state, cause }) => state === 'idle' && cause === 'none');
    await mcu.standing(robot);
    expect(mcu.path).toEqual(['active', 'braking', 'limp', 'idle', 'active']);
  });

  it('is faulted by a fault bit until it is gone, and is met anew after a reset of its own', async () => {
    const { mcu, robot } = await IndependentMcu.start();
    await mcu.standing(robot);
    mcu.program.tell({ verb: 'fault', bits: 0b100 });
    await robot.status('control names the drive', ({ mcu: { faults } }) => faults.includes('rightWheelDrive'));
    expect(await mcu.state()).toMatchObject({ state: 'faulted', cause: 'fault' });
    mcu.program.tell({ verb: 'fault', bits: 0 });
    await robot.status('control sees it gone', ({ mcu: { faults } }) => faults.length === 0);
    await robot.reset();
    await mcu.until('idle', ({ state }) => state === 'idle');

    await mcu.standing(robot);
    const { host } = await mcu.state();
    mcu.program.tell({ verb: 'reset' });
    await mcu.until('in charge anew, under another nonce', (state) => state.host !== 0 && state.host !== host);
    await robot.status('seen idle', ({ mcu: { state, session } }) => state === 'idle' && session === 'accepted');
    expect((await mcu.state()).state).toBe('idle');
  });
});
