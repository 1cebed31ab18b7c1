import { describe, expect, it } from 'vitest';
import { taskNames } from '../../src/robot/tasks/tasks.ts';
import { simRequestSchema } from '../../src/simulation/sim-requests.ts';
import { by, GOES_ON, goesOnOr, MCU_ALONE } from './fault.ts';
import { FAULTS } from './faults.ts';
import { brokenPromises, describePromise, endOf, highestOf } from './promise.ts';
import type { Outcome } from './run-fault.ts';

const stands: Outcome = {
  robotState: 'running',
  mcuState: 'active',
  conditions: [],
  safeAfter: undefined,
  torqueOffAfter: undefined,
  maxTilt: 0.01,
  maxWheelTorque: 0.1,
  falls: 0,
  maxAbsX: 0.1,
  speed: 0,
  commands: 1000,
  violations: [],
};
const lies: Outcome = {
  ...stands,
  robotState: 'limp',
  mcuState: 'limp',
  conditions: ['imu-stuck', 'tilt'],
  safeAfter: 0.05,
};

describe('a promise', () => {
  it('to go on is kept by a robot that stands, also when it warns, and broken by everything else', () => {
    expect(brokenPromises(GOES_ON, stands)).toEqual([]);
    expect(brokenPromises(GOES_ON, { ...stands, conditions: ['line-noisy', 'overrun'] })).toEqual([]);
    for (const change of [
      lies,
      { ...stands, falls: 1 },
      { ...stands, mcuState: 'limp' },
      { ...stands, conditions: ['wheel-slip'] },
      { ...stands, violations: ['wheel torque 2'] },
    ]) {
      expect(brokenPromises(GOES_ON, { ...stands, ...change })).not.toEqual([]);
    }
  });

  it('of a condition is kept when it is named and the robot is where the table says', () => {
    expect(brokenPromises(by('imu-stuck'), lies)).toEqual([]);
    expect(brokenPromises(by('attitude-jump', 'imu-stuck'), lies)).toEqual([]);
    expect(brokenPromises(by('attitude-jump'), lies)).not.toEqual([]);
    expect(brokenPromises(by('imu-stuck'), { ...lies, robotState: 'running', mcuState: 'active' })).not.toEqual([]);
    expect(brokenPromises(by('imu-stuck'), { ...lies, mcuState: 'active' })).not.toEqual([]);
    expect(brokenPromises(by('estop'), { ...lies, conditions: ['estop'] })).not.toEqual([]);
    expect(brokenPromises(by('imu-stuck'), stands)).not.toEqual([]);
    expect(brokenPromises(goesOnOr('imu-stuck'), stands)).toEqual([]);
    expect(brokenPromises(goesOnOr('imu-stuck'), lies)).toEqual([]);
  });

  it('of the motor controller alone is kept by a limp one, whatever control believes', () => {
    expect(brokenPromises(MCU_ALONE, { ...lies, robotState: 'running', conditions: [] })).toEqual([]);
    expect(brokenPromises(MCU_ALONE, { ...stands })).not.toEqual([]);
  });

  it('never excuses a command outside the limits', () => {
    for (const promised of [GOES_ON, by('imu-stuck'), MCU_ALONE]) {
      const outcome = { ...(promised === GOES_ON ? stands : lies), violations: ['wheel torque 2'] };
      expect(brokenPromises(promised, outcome)).toHaveLength(1);
    }
  });

  it('ends as the highest action says', () => {
    expect(endOf(highestOf(['clock-step', 'imu-stuck']))).toBe('limp');
    expect(endOf(highestOf(['wheel-slip', 'clock-step']))).toBe('running');
    expect(endOf(highestOf(['estop', 'tilt']))).toBe('estopped');
    expect(endOf(highestOf([]))).toBe('running');
  });
});

describe('the table of faults', () => {
  it('has a name and words of its own for each, a promise in both tasks, and requests that the simulator takes', () => {
    expect(new Set(FAULTS.map(({ id }) => id)).size).toBe(FAULTS.length);
    expect(new Set(FAULTS.map(({ says }) => says)).size).toBe(FAULTS.length);
    for (const { id, promised, simulator, host } of FAULTS) {
      for (const task of taskNames) expect(describePromise(promised[task]), id).not.toBe('');
      expect(simulator !== undefined || host !== undefined).toBe(true);
      for (const request of simulator ?? []) expect(simRequestSchema.safeParse(request).success, id).toBe(true);
    }
  });
});
