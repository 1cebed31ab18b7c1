import { describe, expect, it } from 'vitest';
import type { ArmedMode } from '../messages/mode.ts';
import { loadRobot } from '../robot/robot.ts';
import { armingChecks, type ControllerInfo, decimation, isUsableRate } from './arming.ts';
import { goodFacts } from './facts.testing.ts';
import type { Facts } from './facts.ts';
import {
  disarm,
  enterMode,
  estop,
  INITIAL_SAFETY_STATE,
  reset,
  type SafetyState,
  superviseFrame,
} from './supervisor.ts';

const robot = loadRobot('wheel-legged');
const standing: ArmedMode = { task: 'standing-still', controller: 'balancer' };
const balancer: ControllerInfo = { kind: 'balancer' };

/** Ids of the checks that fail. */
function inTheWay(
  facts: Partial<Facts>,
  {
    mode = standing,
    state = INITIAL_SAFETY_STATE,
    controller = balancer,
  }: { mode?: ArmedMode; state?: SafetyState; controller?: ControllerInfo } = {},
): string[] {
  const seen = superviseFrame(state, { ...goodFacts, ...facts }, robot);
  return armingChecks(mode, seen, { ...goodFacts, ...facts }, controller, robot)
    .filter((check) => !check.ok)
    .map((check) => check.id);
}

describe('arming', () => {
  it('is allowed for a robot that is upright, at rest and greeted', () => {
    expect(inTheWay({})).toEqual([]);
  });

  it.each<[string, Partial<Facts>]>([
    ['upright', { tilt: 0.3 }],
    ['upright', { tilt: Number.NaN }],
    ['at-rest', { angularRate: 1 }],
    ['at-rest', { angularRate: Number.NaN }],
    ['frames', { framesInARow: 5 }],
    ['session', { session: 'waiting' }],
    ['session', { session: 'foreign' }],
    ['schema-mismatch', { session: 'mismatch' }],
    ['foreign-host', { foreignHellos: 1 }],
    ['rate', { rate: 150 }],
    ['rate', { rate: Number.NaN }],
    ['rate', { rate: 20, nominalRate: 20 }],
    ['rate', { nominalRate: Number.NaN }],
    ['mcu-idle', { mcuState: 'limp' }],
    ['mcu-fault', { mcuState: 'faulted' }],
    ['mcu-watchdog', { watchdogLatched: true }],
    ['robot', { announcedRobot: 'another' }],
    ['robot', { announcedRobot: '' }],
    ['watchdog', { announcedWatchdog: 0 }],
    ['watchdog', { announcedWatchdog: 65_535 }],
    ['watchdog', { announcedWatchdog: robot.timing.mcuWatchdog + 1 }],
    ['watchdog', { announcedWatchdog: robot.timing.commandTimeToLive }],
    ['watchdog', { announcedWatchdog: Number.NaN }],
    ['heard', { heard: false }],
    ['gravity', { specificForce: 0 }],
    ['gravity', { specificForce: 7.9 }],
    ['gravity', { specificForce: 12.1 }],
    ['gravity', { specificForce: Number.NaN }],
    ['gravity', { gravityError: 0.21 }],
    ['gravity', { gravityError: Number.NaN }],
    ['sensor-silence', { silent: true }],
    ['mcu-disobeys', { framesDisobeyed: 21 }],
    ['clock-stuck', { clockStuck: 3 }],
    ['shutting-down', { shuttingDown: true }],
    ['link-lost', { linkOpen: false }],
    ['estop-not-persisted', { estopNotPersisted: true }],
    ['estop', { estopLatched: true }],
    ['attitude-implausible', { attitudeNorm: 0 }],
  ])('is refused by "%s" for %o', (id, facts) => {
    const state =
      id === 'attitude-implausible'
        ? superviseFrame(INITIAL_SAFETY_STATE, { ...goodFacts, ...facts }, robot)
        : INITIAL_SAFETY_STATE;
    expect(inTheWay(facts, { state })).toContain(id);
  });

  it.each([
    ['battery-low', { battery: 5 }],
    ['temperature-high', { temperature: robot.limits.temperatureMaximum + 1 }],
  ])('is refused by "%s", which only warns a moving robot', (id, over) => {
    let state = INITIAL_SAFETY_STATE;
    const facts = { ...goodFacts, ...over };
    for (let frame = 0; frame < 100; frame++) state = superviseFrame(state, facts, robot);
    expect(inTheWay(facts, { state })).toContain(id);
  });

  it('names everything that is in the way at once, with the number and a remedy', () => {
    const facts = { ...goodFacts, tilt: 1, angularRate: 2, session: 'waiting' as const };
    const state = { ...INITIAL_SAFETY_STATE, examined: true };
    const failed = armingChecks(standing, state, facts, balancer, robot).filter((check) => !check.ok);
    expect(failed.map((check) => check.id)).toEqual(['session', 'upright', 'at-rest']);
    expect(failed.find((check) => check.id === 'upright')?.found).toContain('57.3°');
    for (const check of failed) expect(check.remedy).not.toBe('');
  });

  it('is refused from braking, limp and estopped', () => {
    expect(inTheWay({}, { state: estop(INITIAL_SAFETY_STATE) })).toContain('state');
    expect(inTheWay({}, { state: { ...INITIAL_SAFETY_STATE, robotState: 'limp' } })).toContain('state');
    expect(inTheWay({}, { state: { ...INITIAL_SAFETY_STATE, robotState: 'braking' } })).toContain('state');
  });

  it('waits for the first frame after a start, a disarming and a reset: until then nobody knows what is wrong', () => {
    for (const state of [
      INITIAL_SAFETY_STATE,
      disarm(enterMode(INITIAL_SAFETY_STATE, standing)),
      reset(estop(INITIAL_SAFETY_STATE)),
    ]) {
      const failed = armingChecks(standing, state, goodFacts, balancer, robot).filter((check) => !check.ok);
      expect(failed.map((check) => check.id)).toEqual(['state']);
      const seen = superviseFrame(state, goodFacts, robot);
      expect(armingChecks(standing, seen, goodFacts, balancer, robot).every((check) => check.ok)).toBe(true);
    }
  });

  it('takes any gravity on Earth and a watchdog between the time to live and that of the robot file', () => {
    for (const specificForce of [8, 9.78, 9.83, 12]) expect(inTheWay({ specificForce })).toEqual([]);
    const { commandTimeToLive, mcuWatchdog } = robot.timing;
    for (const announcedWatchdog of [commandTimeToLive + 1, mcuWatchdog])
      expect(inTheWay({ announcedWatchdog })).toEqual([]);
  });

  it('lets a running robot change its mode although it leans and turns', () => {
    const state = enterMode(INITIAL_SAFETY_STATE, standing);
    expect(inTheWay({ tilt: 0.3, angularRate: 2, mcuState: 'active' }, { state })).toEqual([]);
  });
});

describe('the controller that is asked for', () => {
  const policy = (over: object): ControllerInfo => ({ kind: 'policy', task: 'standing-still', rate: 200, ...over });

  it('must be there, be for the task, and divide the sensor rate', () => {
    expect(inTheWay({}, { controller: policy({}) })).toEqual([]);
    expect(inTheWay({}, { controller: policy({ rate: 50 }) })).toEqual([]);
    expect(inTheWay({}, { controller: policy({ rate: 150 }) })).toEqual(['rate']);
    expect(inTheWay({}, { controller: policy({ task: 'moving-straight' }) })).toEqual(['controller']);
    expect(inTheWay({}, { controller: { kind: 'missing', reason: 'no such policy' } })).toEqual(['controller']);
  });

  it('takes a target velocity only if it is the balancer, and only within the limit', () => {
    const fast = { ...standing, targetVelocity: robot.limits.targetVelocity + 0.1 };
    const slow = { ...standing, targetVelocity: -0.1 };
    expect(inTheWay({}, { mode: fast })).toEqual(['target-velocity']);
    expect(inTheWay({}, { mode: slow })).toEqual([]);
    expect(inTheWay({}, { mode: slow, controller: policy({}) })).toEqual(['target-velocity']);
  });

  it('needs a rate of which a command outlives a lost frame, and that fits the wire', () => {
    const slowest = 2000 / robot.timing.commandTimeToLive;
    expect([slowest, 200, 1000].map((rate) => isUsableRate(rate, robot))).toEqual([true, true, true]);
    const unusable = [slowest - 1, 1001, 0, -200, Number.NaN, Number.POSITIVE_INFINITY];
    expect(unusable.map((rate) => isUsableRate(rate, robot))).toEqual(unusable.map(() => false));
    const shortLived = { ...robot, timing: { ...robot.timing, commandTimeToLive: robot.timing.commandTimeToLive / 2 } };
    expect(isUsableRate(slowest, shortLived)).toBe(false);
  });

  it.each([
    [200, 200, 1],
    [200, 50, 4],
    [1000, 200, 5],
    [200, 150, undefined],
    [50, 200, undefined],
  ])('%i Hz of sensors for %i Hz of decisions: %s frames each', (sensor, decisions, frames) => {
    expect(decimation(sensor, decisions)).toBe(frames);
  });
});
