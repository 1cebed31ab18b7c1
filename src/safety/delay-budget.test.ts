import { describe, expect, it } from 'vitest';
import { designBalancer } from '../policy/balancer-design.ts';
import { at } from '../policy/linear-algebra.ts';
import { discretise, linearModel, unstablePole } from '../policy/pendulum.ts';
import { loadRobot, type Robot } from '../robot/robot.ts';
import { delayBudget, delayLimits, type MeasuredLatency, recoverableLean } from './delay-budget.ts';

const robot = loadRobot('wheel-legged');
const { gains } = designBalancer(robot, 200, { position: true, integral: true });
const limits = delayLimits(robot, 200, gains);
const fast: MeasuredLatency = { samples: 1000, p999: 1 };

const budget = (over: Partial<Parameters<typeof delayBudget>[0]> = {}) =>
  delayBudget({ limits, robot, baudRate: 921_600, measured: fast, ...over });
const verdicts = (over: Parameters<typeof budget>[0] = {}) =>
  Object.fromEntries(budget(over).findings.map(({ id, verdict }) => [id, verdict]));

/** The same loop in time, in steps of 0.1 ms: an independent look at what the eigenvalues say. @returns late lean per early lean */
function swing(delayMs: number, constant: number): number {
  const step = 0.0001;
  const { a, b } = discretise(linearModel(robot), step);
  const pipe = Array<number>(Math.round(delayMs / 0.1)).fill(0);
  const onTheWay = gains.onTheWay.map(() => 0);
  let state = [0, 0, 0.01, 0];
  let torque = 0;
  let [early, late] = [0, 0];
  for (let tick = 0; tick < 80_000; tick++) {
    if (tick % 50 === 0) {
      const [x = 0, v = 0, pitch = 0, pitchRate = 0] = state;
      torque = -(gains.x * x + gains.v * v + gains.pitch * pitch + gains.pitchRate * pitchRate);
      onTheWay.forEach((sent, index) => {
        torque -= (gains.onTheWay[index] ?? 0) * sent;
      });
      onTheWay.shift();
      if (gains.onTheWay.length > 0) onTheWay.push(torque);
    }
    pipe.push(torque);
    const acting = constant * (pipe.shift() ?? 0);
    state = state.map((_, i) => state.reduce((sum, value, j) => sum + at(a, i, j) * value, at(b, i, 0) * acting));
    const lean = Math.abs(state[2] ?? 0);
    if (tick > 20_000 && tick < 40_000) early = Math.max(early, lean);
    if (tick > 60_000) late = Math.max(late, lean);
  }
  return late / early;
}

describe('the tolerable delay', () => {
  it('is where the loop, played in time with weak and strong motors, begins to ring', () => {
    for (const constant of [0.7, 1, 1.3]) expect(swing(limits.tolerable, constant)).toBeLessThan(1);
    const beyond = [0.7, 1, 1.3].map((constant) => swing(limits.tolerable + 0.6, constant));
    expect(Math.max(...beyond)).toBeGreaterThan(1);
  });

  it('is far below one over the unstable pole, and above what the balancer is designed for', () => {
    expect(limits.unstablePole).toBe(unstablePole(robot));
    expect(limits.tolerable).toBeLessThan(1000 / limits.unstablePole);
    expect(limits.tolerable).toBeGreaterThan(2 * robot.timing.actuationDelay);
  });

  it('shrinks for a robot that falls faster', () => {
    const low: Robot = { ...robot, body: { ...robot.body, centerOfMassHeight: 0.1, pitchInertia: 0.02 } };
    expect(unstablePole(low)).toBeGreaterThan(unstablePole(robot));
    expect(delayLimits(low, 200).tolerable).toBeLessThan(limits.tolerable);
  });
});

describe('what nothing can save', () => {
  it('is beyond what the failsafe table predicts a fall by', () => {
    // tilt + horizon·rate with the horizon of 1/p is the unstable coordinate: only what is lost for certain may be let go.
    expect(robot.limits.fallHorizon).toBeCloseTo(1 / unstablePole(robot), 3);
    expect(recoverableLean(robot)).toBeLessThan(robot.limits.tilt);
  });

  it('is reached from the largest lean that may be armed only after the watchdog', () => {
    const p = unstablePole(robot);
    const grown = robot.limits.armingTilt * Math.exp((p * limits.interruption) / 1000);
    expect(grown).toBeCloseTo(recoverableLean(robot), 9);
    expect(limits.interruption).toBeGreaterThan(robot.timing.mcuWatchdog);
  });
});

describe('the budget', () => {
  it('names where the delay goes, and adds it up', () => {
    const { shares, spent } = budget();
    expect(shares.map(({ id }) => id)).toEqual([
      'sensing',
      'sensors-on-wire',
      'compute',
      'command-on-wire',
      'actuation',
    ]);
    expect(spent).toBeCloseTo(
      shares.reduce((sum, share) => sum + share.ms, 0),
      9,
    );
    // 80 bytes of sensors and 58 of command, ten bits each (PROTOCOL.md)
    expect(shares[1]?.ms).toBeCloseTo(800_000 / 921_600, 9);
    expect(shares[3]?.ms).toBeCloseTo(580_000 / 921_600, 9);
    expect(verdicts()).toEqual({
      'delay-samples': 'pass',
      'delay-budget': 'pass',
      'time-to-live': 'pass',
      'watchdog-budget': 'pass',
    });
  });

  it('fails with the numbers when control is too slow, and warns when it is close', () => {
    const slow = budget({ measured: { samples: 1000, p999: 30 } });
    const finding = slow.findings.find(({ id }) => id === 'delay-budget');
    expect(finding).toMatchObject({ verdict: 'fail' });
    expect(finding?.found).toContain('30.0 ms');
    expect(finding?.found).toContain(`${limits.tolerable.toFixed(1)} ms are tolerable`);
    expect(finding?.remedy).toContain('real-time priority');
    expect(verdicts({ measured: { samples: 1000, p999: limits.tolerable - 8 } })['delay-budget']).toBe('warn');
    expect(verdicts({ measured: { samples: 1000, p999: Number.NaN } })['delay-budget']).toBe('fail');
  });

  it('counts the baud rate: 9600 carries no balancing robot', () => {
    expect(verdicts({ baudRate: 9600 })['delay-budget']).toBe('fail');
  });

  it('wants enough answers, and says when nobody has measured any', () => {
    expect(verdicts({ measured: { samples: 199, p999: 1 } })).toMatchObject({
      'delay-samples': 'fail',
      'delay-budget': 'pass',
    });
    expect(verdicts({ measured: undefined })).toMatchObject({ 'delay-samples': 'warn', 'delay-budget': 'pass' });
  });

  it('holds the watchdog that the motor controller announces against the fall, else that of the robot file', () => {
    expect(verdicts({ announcedWatchdog: 80 })['watchdog-budget']).toBe('fail');
    expect(verdicts({ announcedWatchdog: 50 })['watchdog-budget']).toBe('pass');
    for (const unknown of [Number.NaN, 0, undefined]) expect(budget({ announcedWatchdog: unknown }).watchdog).toBe(50);
  });

  it('fails for commands that live longer than the loop tolerates', () => {
    const long = { ...robot, timing: { ...robot.timing, commandTimeToLive: 40 } };
    expect(verdicts({ robot: long })['time-to-live']).toBe('fail');
  });
});
