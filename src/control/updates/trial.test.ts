import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limitBit } from '../../messages/states.ts';
import { loadRobot } from '../../robot/robot.ts';
import { conditionBit, FAILSAFE_TABLE } from '../../safety/failsafe-table.ts';
import { actuated } from '../ticks.testing.ts';
import { GuardTally, Trial, UsualLean } from './trial.ts';

const robot = loadRobot('wheel-legged');
const HASH = 7n;
const trial = (limitedBefore = 0, leanBefore = 0) =>
  new Trial({ id: 'a', hash: HASH, wanted: 1, limitedBefore, leanBefore, robot });
const tick = (over: Parameters<typeof actuated>[0] = {}) =>
  actuated({ controller: 'policy', policyHash: HASH, dtUs: 5000, ...over });

describe('a trial', () => {
  it('is over after its time in charge, and only that time counts', () => {
    const one = trial();
    for (let frame = 0; frame < 150; frame++) expect(one.frame(tick(), 'a')).toBeUndefined();
    for (let frame = 0; frame < 500; frame++) expect(one.frame(tick(), 'another')).toBeUndefined();
    expect(one.isOver).toBe(false);
    for (let frame = 0; frame < 51; frame++) expect(one.frame(tick(), 'a')).toBeUndefined();
    expect(one.isOver).toBe(true);
    expect(one.report).toMatchObject({ frames: 201, limited: 0 });
  });

  it.each(FAILSAFE_TABLE.filter(({ action }) => action !== 'warn').map(({ id }) => id))(
    'ends with the condition %s',
    (id) => {
      const one = trial();
      one.frame(tick(), 'a');
      expect(one.frame(tick({ conditions: conditionBit(id) }), 'a')).toBe(`failsafe: ${id}`);
    },
  );

  it.each(['braking', 'limp', 'estopped'] as const)('ends when the robot is %s', (robotState) => {
    const one = trial();
    one.frame(tick(), 'a');
    expect(one.frame(tick({ robotState, controller: 'none', policyHash: 0n }), 'a')).toMatch(/^failsafe: /);
  });

  it('ends with what is no number, and with a lean that the one before could still catch', () => {
    expect(trial().frame(tick({ limits: limitBit('non-finite'), controller: 'balancer' }), 'a')).toMatch(/^action: /);
    const { fallTilt, fallHorizon } = robot.limits;
    const state = { x: 0, v: 0, pitch: 0.6 * fallTilt, pitchRate: (0.6 * fallTilt) / fallHorizon };
    expect(trial().frame(tick({ state }), 'a')).toMatch(/^lean: /);
    expect(trial().frame(tick({ state: { ...state, pitch: Number.NaN } }), 'a')).toMatch(/^lean: /);
    expect(trial().frame(tick({ state: { ...state, pitchRate: 0 } }), 'a')).toBeUndefined();
  });

  it('measures the lean from how the robot usually leans, and gets used to no more than two thirds of the limit', () => {
    const { fallTilt } = robot.limits;
    fc.assert(
      fc.property(
        fc.double({ min: -1, max: 1, noNaN: true }),
        fc.double({ min: -0.5, max: 0.5, noNaN: true }),
        (leanBefore, pitch) => {
          const upright = Math.sign(leanBefore) * Math.min(Math.abs(leanBefore), (2 / 3) * fallTilt);
          const against = trial(0, leanBefore).frame(tick({ state: { x: 0, v: 0, pitch, pitchRate: 0 } }), 'a');
          // rounding may go either way on the very edge
          if (Math.abs(Math.abs(pitch - upright) - fallTilt) < 1e-9) return;
          expect(against !== undefined).toBe(Math.abs(pitch - upright) > fallTilt);
          if (Math.abs(pitch) > (5 / 3) * fallTilt + 1e-9) expect(against).toMatch(/^lean: /);
        },
      ),
    );
  });

  it('knows a usual lean only of a robot that has run for a while', () => {
    const usual = new UsualLean();
    const at = (pitch: number, over = {}) => tick({ state: { x: 0, v: 0, pitch, pitchRate: 0 }, ...over });
    for (let frame = 0; frame < 999; frame++) usual.frame(at(0.08));
    expect(usual.value).toBe(0);
    usual.frame(at(0.08));
    expect(usual.value).toBeCloseTo(0.08);
    for (let frame = 0; frame < 5000; frame++) {
      usual.frame(at(1.5, { robotState: 'disarmed' }));
      usual.frame(at(Number.NaN));
    }
    expect(usual.value).toBeCloseTo(0.08);
  });

  it('ends when the guard acts more than on the one before, and not when as often', () => {
    const tally = new GuardTally();
    const limited = (frame: number) => tick({ limits: frame % 2 === 0 ? limitBit('slew') : 0 });
    for (let frame = 0; frame < 1000; frame++) tally.frame(limited(frame));
    expect(tally.share(HASH)).toBeCloseTo(0.5, 2);
    const alike = trial(tally.share(HASH));
    const worse = trial(0);
    const results = Array.from({ length: 400 }, (_, frame) => [
      alike.frame(limited(frame), 'a'),
      worse.frame(limited(frame), 'a'),
    ]);
    expect(results.every(([same]) => same === undefined)).toBe(true);
    expect(results.find(([, more]) => more !== undefined)?.[1]).toMatch(/^guard: it acted on \d+ of \d+ frames/);
    // Noise that somebody wanted, and the blend, are not the policy's.
    const noisy = trial(0);
    const noise = limitBit('exploration') | limitBit('blend');
    for (let frame = 0; frame < 200; frame++) expect(noisy.frame(tick({ limits: noise }), 'a')).toBeUndefined();
  });
});
