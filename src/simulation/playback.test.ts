import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type LogRow, parseLog, readLog } from '../dataset/log/read-log.ts';
import { EdgeError } from '../errors.ts';
import { RESOLUTION } from '../protocol/messages.gen.ts';
import { loadRobot } from '../robot/robot.ts';
import { TestHost } from './host.testing.ts';
import { Playback } from './playback.ts';
import { VirtualMcu } from './virtual-mcu.ts';

const robot = loadRobot('wheel-legged');
const { radius } = robot.wheels;
const { hipStance, kneeStance } = robot.legs;

/** The published log carries no licence, so it is not part of this project. */
const logPath =
  process.env.H2O_ROBOT_LOG ??
  fileURLToPath(new URL('../../../shared/data/wheel-legged-standing-5.11.s.txt', import.meta.url));

const madeUp: LogRow[] = Array.from({ length: 50 }, (_, k) => ({
  x: 0.3 + 0.01 * k,
  speed: 0.4 - 0.02 * k,
  pitch: 0.05 * Math.sin(k / 5),
  pitchRate: 1.5 * Math.cos(k / 5),
  torque: 0.8 * Math.sin(k / 3),
  done: false,
}));

/** Plays rows through MCU and wire; what came is in the host's frames. */
function play(rows: readonly LogRow[], leadIn: number) {
  const host = new TestHost(robot);
  const playback = new Playback(robot, rows);
  const mcu = new VirtualMcu({ robot, plant: playback, send: (bytes) => host.receive(bytes) });
  mcu.boot();
  mcu.receive(host.hello());
  const step = (requestedState: 'idle' | 'active') => {
    mcu.advance(5000);
    mcu.receive(host.command({ requestedState, wheelTorque: [1, 1] }));
  };
  for (let i = 0; i < leadIn; i++) step('idle');
  expect(playback.row).toBe(-1);
  step('active');
  for (let i = 0; i < rows.length + 20 && !mcu.ended; i++) step('active');
  return { host, mcu, frames: host.all('sensors') };
}

function expectRows(rows: readonly LogRow[], leadIn: number) {
  const { frames, mcu } = play(rows, leadIn);
  expect(mcu.ended).toBe(true);
  // the frame that is answered with "active" is still of the lead-in
  expect(frames).toHaveLength(leadIn + 1 + rows.length);
  const { wheelPosition, wheelVelocity, legPosition, gyro, attitude, wheelTorqueApplied } = RESOLUTION.sensors;
  const worst = { x: 0, speed: 0, pitch: 0, rate: 0, torque: 0 };
  for (const [k, row] of rows.entries()) {
    const frame = frames[leadIn + 1 + k];
    if (!frame) throw new Error(`no frame ${k}`);
    const [w, , y] = frame.attitude;
    const pitch = 2 * Math.atan2(y, w);
    const legs = frame.legPosition[0] + frame.legPosition[1];
    const note = (name: keyof typeof worst, error: number) => {
      worst[name] = Math.max(worst[name], Math.abs(error));
    };
    note('pitch', pitch - row.pitch);
    note('rate', frame.gyro[1] - row.pitchRate);
    note('x', radius * (frame.wheelPosition[1] + legs + pitch) - row.x);
    note('speed', radius * (frame.wheelVelocity[0] + frame.gyro[1]) - row.speed);
    const before = rows[k - 1]?.torque ?? 0;
    note('torque', frame.wheelTorqueApplied[0] - before / 2);
    note('torque', frame.wheelTorqueMeasured[1] - before / 2);
    expect(frame.legVelocity).toEqual([0, 0, 0, 0]);
    expect(Math.hypot(...frame.acceleration)).toBeCloseTo(9.81, 1);
  }
  expect(worst.pitch).toBeLessThanOrEqual(2 * attitude);
  expect(worst.rate).toBeLessThanOrEqual(gyro / 2 + 1e-9);
  expect(worst.x).toBeLessThanOrEqual(radius * (wheelPosition + 2 * legPosition + 2 * attitude));
  expect(worst.speed).toBeLessThanOrEqual(radius * (wheelVelocity + gyro));
  expect(worst.torque).toBeLessThanOrEqual(wheelTorqueApplied / 2 + 1e-9);
}

describe('playback', () => {
  it('carries every row to the host within the resolution of the wire, after the lead-in', () => {
    expectRows(madeUp, 0);
    expectRows(madeUp, 37);
  });

  it.skipIf(!existsSync(logPath))('carries the published log (skipped where H2O_ROBOT_LOG names none)', () => {
    const rows = readLog(logPath);
    expect(rows.length).toBeGreaterThan(16_000);
    expectRows(rows, 3);
  });

  it('shows a robot at rest at the origin until the MCU is active, for as long as it takes', () => {
    const { frames } = play(madeUp, 200);
    for (const frame of frames.slice(0, 201)) {
      // What no log tells flickers in its last bit, as a live IMU does.
      expect(Math.abs(frame.gyro[0])).toBeLessThanOrEqual(RESOLUTION.sensors.gyro + 1e-9);
      expect(frame.gyro.slice(1)).toEqual([0, 0]);
      expect(frame.wheelVelocity).toEqual([0, 0]);
      expect(radius * (frame.wheelPosition[0] + hipStance + kneeStance)).toBeCloseTo(0, 5);
      expect(frame.wheelTorqueApplied).toEqual([0, 0]);
    }
  });

  it('goes on through an e-stop, and sends no sensors after the last row', () => {
    const host = new TestHost(robot);
    const mcu = new VirtualMcu({ robot, plant: new Playback(robot, madeUp), send: (bytes) => host.receive(bytes) });
    mcu.boot();
    mcu.receive(host.hello());
    mcu.advance(5000);
    mcu.receive(host.command());
    mcu.advance(5000);
    mcu.receive(host.estop());
    mcu.advance(1_000_000);
    expect(mcu.state).toBe('estopped');
    expect(host.all('sensors')).toHaveLength(1 + madeUp.length);
    expect(mcu.ended).toBe(true);
  });

  it('names the line of a bad row', () => {
    const problem = (text: string) => {
      try {
        parseLog(text, 'log.txt');
      } catch (error) {
        if (error instanceof EdgeError && error.codeName === 'logInvalid') return error.message;
      }
      return 'none';
    };
    expect(problem('0 0 0 0 0 0\n1 2 3 4 5\n')).toMatch(/log\.txt:2: 5 columns/);
    expect(problem('0 0 0 0 0 0\n\n0 0 x 0 0 0\n')).toMatch(/log\.txt:3: pitch is not a number: x/);
    expect(problem('0 0 0 0 NaN 0')).toMatch(/log\.txt:1: torque/);
    expect(problem('0 0 0 0 0 2')).toMatch(/done is neither 0 nor 1/);
    expect(problem('\n')).toMatch(/no rows/);
    expect(problem('0 0 0 0 0 0\n')).toBe('none');
  });
});
