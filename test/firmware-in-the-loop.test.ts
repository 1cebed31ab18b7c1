import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ArmedMode } from '../src/messages/mode.ts';
import { loadRobot } from '../src/robot/robot.ts';
import { buildFirmware, EXAMPLE, Firmware, type FirmwareTruth, missingTools } from './firmware-robot.ts';
import { reasonsOf, refusalOf, STAND, type TestRobot, until } from './harness.ts';

const needs = missingTools.length > 0 ? `skipped, not on the PATH: ${missingTools.join(', ')}` : 'on QEMU';
const robotFile = loadRobot('wheel-legged');

/** Far above what a busy machine needs [ms]. */
const PATIENCE = 400_000;

describe.skipIf(missingTools.length > 0)(`the example firmware, ${needs}`, { timeout: PATIENCE }, () => {
  let build = '';
  beforeAll(async () => {
    build = await buildFirmware();
  });

  it('drives the robot of the robot file', () => {
    const { body, wheels, legs, timing, mcu, policy, twin } = robotFile;
    expect(definitions('robot.h')).toEqual({
      ROBOT_NAME: robotFile.name,
      WHEEL_TORQUE_PEAK: mcu.wheelTorquePeak,
      LEG_TORQUE_LIMIT: legs.torqueLimit,
      BRAKE_DAMPING: mcu.brakeDamping,
      LIMP_DAMPING: mcu.limpDamping,
      LEG_STIFFNESS: legs.stiffness,
      LEG_DAMPING: legs.damping,
      HIP_STANCE: legs.hipStance,
      KNEE_STANCE: legs.kneeStance,
      SENSOR_RATE: policy.rate,
      WATCHDOG: timing.mcuWatchdog,
    });
    expect(definitions('bench/plant.c')).toMatchObject({
      BODY_MASS: body.mass,
      CENTER_OF_MASS_HEIGHT: body.centerOfMassHeight,
      PITCH_INERTIA: body.pitchInertia,
      WHEEL_RADIUS: wheels.radius,
      WHEEL_MASS: wheels.mass,
      WHEEL_INERTIA: wheels.spinInertia,
      DRY_FRICTION: wheels.dryFriction,
      ACTUATION_DELAY: timing.actuationDelay,
      GYRO_NOISE: twin.gyroNoise,
      ACCELERATION_NOISE: twin.accelerationNoise,
      ATTITUDE_NOISE: twin.attitudeNoise,
    });
  });

  it('is balanced by a real control through its UART, is pushed and stays up, and moves at the speed that is asked for', async () => {
    // Heartbeats travel by the host's clock; MCU time goes faster.
    const { firmware, robot } = await Firmware.start(build, { config: { operatorHeartbeat: 10_000 } });
    await stand(firmware, robot);

    const standing = await firmware.wait(10);
    expect(worstLean(standing)).toBeLessThan(0.03);
    expect(standing.every(({ state }) => state === 'active')).toBe(true);
    expect(standing.every(({ x }) => Math.abs(x) < 0.15)).toBe(true);

    firmware.tell('push');
    const pushed = await firmware.wait(5);
    // It was moved, so the push was felt; and it is up again.
    expect(worstLean(pushed)).toBeGreaterThan(0.03);
    expect(worstLean(pushed)).toBeLessThan(robotFile.limits.tilt);
    expect(worstLean(pushed.slice(-20))).toBeLessThan(0.03);

    await moving(robot, async () => {
      await firmware.truth('it moves', ({ speed }) => speed > 0.15);
      await firmware.wait(2);
      const path = await firmware.wait(5);
      expect(meanSpeed(path)).toBeGreaterThan(0.18);
      expect(meanSpeed(path)).toBeLessThan(0.22);
      expect(worstLean(path)).toBeLessThan(0.1);
    });

    const { counters } = firmware.now;
    expect(counters).toMatchObject({ corrupted: 0, lost: 0, overruns: 0, dropped: 0, wrongSession: 0, expired: 0 });
    const { counters: link, mcu } = await robot.control.status();
    expect(link).toMatchObject({
      'frames.corrupted': 0,
      'frames.malformed': 0,
      'frames.lost': 0,
      'session.mcuRestarts': 0,
    });
    expect(mcu.measuredRate).toBeCloseTo(robotFile.policy.rate, 3);
  });

  it('confirms an e-stop and falls; is lifted, reset, armed and stands again', async () => {
    const { firmware, robot } = await Firmware.start(build);
    await stand(firmware, robot);

    const { stages } = await robot.control.estop('a test', () => {}, 30_000);
    expect(stages).toContain('confirmed');
    await firmware.truth('torque off', ({ state, latchCause }) => state === 'estopped' && latchCause === 'estop');
    const fallen = await firmware.truth('it falls', ({ pitch }) => Math.abs(pitch) > 1.3);
    expect(fallen).toMatchObject({ state: 'estopped', torque: 0 });
    expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(/estop/);

    firmware.tell('lift');
    await firmware.wait(1.5);
    await resetUntilIdle(firmware, robot);
    expect(firmware.now.latchCause).toBe('none');
    await stand(firmware, robot);
    expect(worstLean(await firmware.wait(2))).toBeLessThan(0.05);
  });

  it('brakes, latched, when control is killed with -9, then goes limp; and obeys the control that comes after it', async () => {
    const { firmware, robot } = await Firmware.start(build, { config: { operatorHeartbeat: 10_000 } });
    await stand(firmware, robot);
    const before = await moving(robot, async () => await firmware.truth('it moves', ({ speed }) => speed > 0.15));
    const first = firmware.lines.length;
    await robot.killControl();
    firmware.tell('hostIsDead');

    const limp = await firmware.truth('limp', ({ state }) => state === 'limp');
    expect(limp).toMatchObject({ latchCause: 'watchdog', latch: before.latch + 1, torque: 0 });
    const states = firmware.lines.slice(first).map(({ state }) => state);
    // Braking lasts a second; the console speaks every 50 ms.
    expect(states.filter((state) => state === 'braking').length).toBeGreaterThanOrEqual(19);
    expect(states.filter((state) => state === 'braking').length).toBeLessThanOrEqual(20);
    expect(new Set(states)).toEqual(new Set(['active', 'braking', 'limp']));
    // By the millisecond in which its loop looks.
    const silence = Math.round((limp.latchedAt - limp.commandAt) * 1000);
    expect(silence).toBeGreaterThanOrEqual(robotFile.timing.mcuWatchdog);
    expect(silence).toBeLessThanOrEqual(robotFile.timing.mcuWatchdog + 1);

    await robot.startControl();
    const status = await robot.status('the latch is known', (now) => reasonsOf(now).includes('mcu-watchdog'));
    expect(status).toMatchObject({ state: 'disarmed', mcu: { state: 'limp', latchCause: 'watchdog' } });
    firmware.tell('lift');
    await firmware.wait(1.5);
    expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(
      /mcu-watchdog/,
    );
    await resetUntilIdle(firmware, robot);
    await stand(firmware, robot);
  });

  it('stops by its own button and by a fault of a drive, and nothing clears them while their cause lasts', async () => {
    const { firmware, robot } = await Firmware.start(build);
    await stand(firmware, robot);
    firmware.tell('pressStop');
    await firmware.truth('stopped', ({ state, latchCause }) => state === 'estopped' && latchCause === 'estop');
    await robot.status('control knows', ({ state }) => state === 'estopped');
    await robot.reset().catch(() => {});
    expect((await firmware.wait(1)).every(({ state }) => state === 'estopped')).toBe(true);
    firmware.tell('lift');
    firmware.tell('releaseStop');
    await firmware.wait(1.5);
    await resetUntilIdle(firmware, robot);
    await stand(firmware, robot);

    firmware.tell('setFault');
    await firmware.truth('faulted', ({ state, latchCause }) => state === 'faulted' && latchCause === 'fault');
    const { mcu } = await robot.status('control knows', (now) => reasonsOf(now).includes('mcu-fault'));
    expect(mcu.faults).toEqual(['leftWheelDrive']);
    await robot.reset().catch(() => {});
    expect((await firmware.wait(1)).every(({ state }) => state === 'faulted')).toBe(true);
    firmware.tell('lift');
    firmware.tell('clearFault');
    await firmware.wait(1.5);
    await resetUntilIdle(firmware, robot);
    await stand(firmware, robot);
  });

  it('starts anew after a crash of its own, idle, and control sees that it did', async () => {
    const { firmware, robot } = await Firmware.start(build);
    await stand(firmware, robot);
    firmware.tell('crash');
    await firmware.truth('another start', ({ time, state }) => time < 1 && state === 'idle');
    const status = await robot.status('control knows', (now) => now.counters['session.mcuRestarts'] === 1);
    expect(status.state).not.toBe('running');
    expect((await firmware.wait(1)).every(({ state, torque }) => state === 'idle' && torque === 0)).toBe(true);
  });
});

/** Arms it, and waits until it stands without the hand. */
async function stand(firmware: Firmware, robot: TestRobot): Promise<void> {
  await robot.arm(STAND);
  await firmware.truth('the hand has let go', ({ state, held }) => state === 'active' && !held);
  // From the lean at which it was held to upright.
  await firmware.wait(3);
}

/** Moves it, an operator's heart beating, for as long as `meanwhile` lasts. */
async function moving<T>(robot: TestRobot, meanwhile: () => Promise<T>): Promise<T> {
  const mode: ArmedMode = { task: 'moving-straight', controller: 'balancer' };
  const session = 'operator';
  await robot.control.command({ name: 'mode', mode, session }, robot.operator);
  let counter = 0;
  const beating = setInterval(() => robot.control.heartbeat(session, ++counter), 50);
  try {
    return await meanwhile();
  } finally {
    clearInterval(beating);
  }
}

/** A reset may be refused: control does not know yet that the cause is gone, or a stop that it repeated is still on its way. */
async function resetUntilIdle(firmware: Firmware, robot: TestRobot): Promise<void> {
  await until('idle after a reset', async () => {
    await robot.reset().catch(() => {});
    return (await firmware.wait(0.2)).at(-1)?.state === 'idle';
  });
}

const worstLean = (lines: readonly FirmwareTruth[]) => Math.max(...lines.map(({ maxPitch }) => maxPitch));

function meanSpeed(path: readonly FirmwareTruth[]): number {
  const [first, last] = [path[0], path.at(-1)];
  return first && last ? (last.x - first.x) / (last.time - first.time) : Number.NaN;
}

/** Numbers and texts that a C file defines by name. */
function definitions(file: string): Record<string, number | string> {
  const text = readFileSync(join(EXAMPLE, file), 'utf8');
  const found: Record<string, number | string> = {};
  for (const [, name = '', word, number] of text.matchAll(
    /^#define (\w+) (?:"([^"]*)"|\(?(-?[\d.]+)[fu]?\)?)(?=\s)/gm,
  )) {
    found[name] = word ?? Number(number);
  }
  return found;
}
