import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EdgeError } from '../errors.ts';
import { Random } from '../random.ts';
import { loadRobot, modelsDirectory } from '../robot/robot.ts';
import { composeGaps, drawGap, type Gap, loadGaps, noGap, rangesOf, readGap } from './gap.ts';
import { Sensors, WheelDrives } from './imperfections.ts';
import { SimulatedRobot } from './simulated-robot.ts';
import { Twin } from './twin.ts';

const robot = loadRobot('wheel-legged');
const directory = mkdtempSync(join(tmpdir(), 'gap-'));
afterAll(() => rmSync(directory, { recursive: true }));

const fileWith = (text: string) => {
  const path = join(directory, 'gap.yaml');
  writeFileSync(path, `description: a test\nsource: assumed\n${text}\n`);
  return path;
};
const errorOf = (action: () => unknown): EdgeError => {
  try {
    action();
  } catch (error) {
    if (error instanceof EdgeError) return error;
  }
  throw new Error('no EdgeError');
};

describe('dynamics gaps', () => {
  it('that ship all load, alone and together', () => {
    const names = readdirSync(join(modelsDirectory, 'gaps')).map((file) => file.replace(/\.yaml$/, ''));
    expect(names.sort()).toEqual([
      'friction-0.3x',
      'gravity-2x',
      'joint-noise',
      'none',
      'randomised',
      'twin-d',
      'twin-d-less-askew',
    ]);
    names.splice(names.indexOf('randomised'), 1);
    for (const name of names) expect(loadGaps([name])).toHaveProperty('gravityScale');
    expect(loadGaps(['none'])).toEqual(noGap);
    expect(loadGaps(names)).toMatchObject({ gravityScale: 2, frictionScale: 0.3, actionNoise: 1, pitchBias: 0.12 });
  });

  it('compose: scales multiply, noises add as independent ones, the rest adds', () => {
    const one = composeGaps(noGap, { gravityScale: 2, actionNoise: 3, pitchBias: 0.01 });
    const both = composeGaps(one, { gravityScale: 1.5, actionNoise: 4, pitchBias: 0.02 });
    expect(both).toEqual({ ...noGap, gravityScale: 3, actionNoise: 5, pitchBias: 0.03 });
  });

  it('are refused by line for unknown keys and impossible values', () => {
    expect(errorOf(() => loadGaps([fileWith('gravty: 2')]))).toMatchObject({ codeName: 'gapInvalid' });
    expect(errorOf(() => loadGaps([fileWith('slope: 0\nmassScale: -1')])).message).toMatch(/gap\.yaml:4: massScale/);
    expect(errorOf(() => loadGaps([fileWith('slope: steep')])).message).toMatch(/gap\.yaml:3: slope/);
    expect(errorOf(() => loadGaps(['no-such-gap']))).toMatchObject({ codeName: 'fileUnreadable' });
  });

  it('hold ranges, drawn uniformly by the seed in whatever order the lines stand', () => {
    const lines = ['slope: { min: -0.1, max: 0.3 }', 'gravityScale: { min: 1, max: 2 }', 'massScale: 1.5'];
    const [one, other] = [lines, [...lines].reverse()].map((order) => readGap(fileWith(order.join('\n'))));
    if (!one || !other) throw new Error('no gap');
    expect(rangesOf(one).sort()).toEqual(['gravityScale', 'slope']);
    const drawn = Array.from({ length: 2000 }, (_, seed) => drawGap([one], new Random(seed)));
    expect(drawGap([other], new Random(5))).toEqual(drawn[5]);
    expect(drawn.every(({ massScale, frictionScale }) => massScale === 1.5 && frictionScale === 1)).toBe(true);
    const slopes = drawn.map(({ slope }) => slope).sort((a, b) => a - b);
    expect(slopes[0]).toBeGreaterThanOrEqual(-0.1);
    expect(slopes.at(-1)).toBeLessThan(0.3);
    for (const quarter of [1, 2, 3]) expect(slopes[quarter * 500]).toBeCloseTo(-0.1 + 0.1 * quarter, 1);
    expect(drawn[0]?.gravityScale).not.toBe(drawn[1]?.gravityScale);
    // with another gap beside it
    expect(drawGap([one, readGap('twin-d')], new Random(5))).toMatchObject({
      ...drawn[5],
      ...loadGaps(['twin-d']),
      massScale: 1.5,
      slope: drawn[5]?.slope,
      gravityScale: drawn[5]?.gravityScale,
    });
  });

  it('that hold ranges are refused where there are no episodes, and by line where they are none', () => {
    expect(errorOf(() => loadGaps(['none', 'randomised']))).toMatchObject({ codeName: 'gapInvalid' });
    expect(errorOf(() => loadGaps(['randomised'])).message).toMatch(/randomised\.yaml: massScale is a range/);
    const refusal = (text: string) => errorOf(() => readGap(fileWith(text))).message;
    expect(refusal('slope: { min: 0.2, max: 0.1 }')).toMatch(/gap\.yaml:3: slope: min is above max/);
    expect(refusal('slope: 0\nmassScale: { min: -1, max: 1 }')).toMatch(/gap\.yaml:4: massScale\.min: must be above 0/);
    expect(refusal('slope: { min: 0.1 }')).toMatch(/gap\.yaml:3: slope\.max/);
    expect(refusal('slope: { min: 0, max: 0.1, step: 1 }')).toMatch(/step/);
  });

  it('change in the physics what they say', async () => {
    const gap: Gap = {
      ...noGap,
      gravityScale: 2,
      frictionScale: 0.3,
      massScale: 1.5,
      dryFriction: 0.12,
      centerOfMassShift: 0.02,
      slope: 0.1,
    };
    const [plain, changed] = await Promise.all([Twin.create({ robot }), Twin.create({ robot, gap })]);
    const [a, b] = [plain.model.constants(), changed.model.constants()];
    const torso = plain.model.id('body', 'torso');
    const floor = plain.model.id('geom', 'floor');
    const wheel = a.jointVelocity[plain.model.id('joint', 'wheelRight')] ?? 0;
    const at = (values: Float64Array, index: number) => values[index] ?? 0;
    expect(at(b.gravity, 0)).toBeCloseTo(-2 * 9.81 * Math.sin(0.1), 6);
    expect(at(b.gravity, 2)).toBeCloseTo(-2 * 9.81 * Math.cos(0.1), 6);
    expect(at(b.geomFriction, 3 * floor)).toBeCloseTo(0.3 * at(a.geomFriction, 3 * floor), 9);
    expect(at(b.bodyMass, torso)).toBeCloseTo(1.5 * at(a.bodyMass, torso), 9);
    expect(at(b.bodyInertia, 3 * torso)).toBeCloseTo(1.5 * at(a.bodyInertia, 3 * torso), 9);
    expect(at(b.bodyCenter, 3 * torso)).toBeCloseTo(at(a.bodyCenter, 3 * torso) + 0.02, 9);
    expect(at(b.dofFrictionLoss, wheel)).toBeCloseTo(at(a.dofFrictionLoss, wheel) + 0.12, 9);
    expect(changed.weight).toBeCloseTo(3 * plain.weight, 6);
    plain.delete();
    changed.delete();
  });

  it('change in the drives what they say', () => {
    const delivered = (gap: Partial<Gap>, steps: number) => {
      const drives = new WheelDrives(robot, { ...noGap, ...gap }, new Random(1));
      return Array.from({ length: steps }, () => drives.deliver([1, -1]));
    };
    const { actuationDelay } = robot.timing;
    expect(delivered({}, 20).findIndex(([left]) => left !== 0)).toBe(actuationDelay);
    const slow = delivered({ extraActuationDelay: 7, motorConstantScale: 0.7 }, 20);
    expect(slow.findIndex(([left]) => left !== 0)).toBe(actuationDelay + 7);
    expect(slow.at(-1)).toEqual([0.7, -0.7]);

    // drawn once per decision, for both wheels alike, within the action's range
    const noisy = delivered({ actionNoise: 0.1 }, 20_000).slice(100);
    const changes = noisy.filter(([left], i) => i > 0 && left !== noisy[i - 1]?.[0]).length;
    expect(Math.abs(changes - noisy.length / 5)).toBeLessThan(10);
    const noise = noisy.map(([left]) => left - 1);
    const deviation = Math.sqrt(noise.reduce((sum, value) => sum + value ** 2, 0) / noise.length);
    expect(deviation).toBeCloseTo((0.1 * robot.policy.torqueScale) / 2, 2);
    const limit = robot.policy.torqueScale / 2;
    expect(delivered({ actionNoise: 1 }, 5000).every(([left]) => Math.abs(left) <= limit)).toBe(true);
  });

  it('change in the sensors what they say', async () => {
    const body = await SimulatedRobot.create({ robot });
    const ideal = body.twin.read();
    body.delete();
    const read = (gap: Partial<Gap>) => {
      const sensors = new Sensors(robot, { ...noGap, ...gap }, new Random(1), ideal);
      const samples = Array.from({ length: 4000 }, () => sensors.read());
      const mean = samples.reduce((sum, { attitude: [w, , y] }) => sum + 2 * Math.atan2(y, w), 0) / samples.length;
      return { mean, samples, sensors };
    };
    expect(read({ pitchBias: 0.08 }).mean - read({}).mean).toBeCloseTo(0.08, 4);
    // a leaning IMU feels gravity from behind: it shows as a deceleration that its quaternion explains
    expect(read({ pitchBias: 0.08 }).samples[0]?.acceleration[0]).toBeLessThan(-0.5);
    const { sensors } = read({ extraSensorDelay: 3 });
    const arrival = Array.from({ length: 10 }, () => {
      sensors.take({ ...ideal, wheelPosition: [99, 99] });
      return sensors.read().wheelPosition[0];
    }).indexOf(99);
    expect(arrival).toBe(robot.twin.sensorDelay + 3);
  });
});
