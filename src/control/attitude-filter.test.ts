import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pitchOf, type Quaternion, rollOf, tiltOf, yawOf } from '../robot/kinematics.ts';
import { AttitudeFilter } from './attitude-filter.ts';

const DT = 0.005;
const G = 9.81;

/** Specific force of a body at rest that leans so. */
const gravity = (pitch: number, roll = 0): [number, number, number] => [
  -G * Math.sin(pitch),
  G * Math.cos(pitch) * Math.sin(roll),
  G * Math.cos(pitch) * Math.cos(roll),
];

const angle = (limit: number) => fc.double({ min: -limit, max: limit, noNaN: true });
const norm = ({ w, x, y, z }: Quaternion) => Math.hypot(w, x, y, z);

/** The filter after so many updates that are all alike. */
function settled(
  filter: AttitudeFilter,
  gyro: [number, number, number],
  force: [number, number, number],
  seconds: number,
): Quaternion {
  let attitude = filter.update(gyro, force, DT);
  for (let step = 1; step < seconds / DT; step++) attitude = filter.update(gyro, force, DT);
  return attitude;
}

describe('the attitude filter', () => {
  it('starts where the accelerometer says, heading ahead', () => {
    fc.assert(
      fc.property(angle(1.4), angle(3), (pitch, roll) => {
        const attitude = new AttitudeFilter().update([0, 0, 0], gravity(pitch, roll), 0);
        expect(pitchOf(attitude)).toBeCloseTo(pitch, 6);
        expect(rollOf(attitude)).toBeCloseTo(roll, 6);
        expect(yawOf(attitude)).toBeCloseTo(0, 6);
      }),
    );
  });

  it('stays where it is when nothing turns', () => {
    const attitude = settled(new AttitudeFilter(), [0, 0, 0], gravity(0.2, -0.1), 20);
    expect(pitchOf(attitude)).toBeCloseTo(0.2, 6);
    expect(rollOf(attitude)).toBeCloseTo(-0.1, 6);
  });

  it('comes to what the accelerometer says from wherever it was', () => {
    fc.assert(
      fc.property(angle(0.8), angle(0.8), angle(0.8), angle(0.8), (pitch, roll, fromPitch, fromRoll) => {
        const filter = new AttitudeFilter();
        filter.update([0, 0, 0], gravity(fromPitch, fromRoll), 0);
        const attitude = settled(filter, [0, 0, 0], gravity(pitch, roll), 12);
        expect(pitchOf(attitude)).toBeCloseTo(pitch, 3);
        expect(rollOf(attitude)).toBeCloseTo(roll, 3);
      }),
      { numRuns: 20 },
    );
  });

  it('is pulled slowly: a second of pushing moves it by less than the push pretends', () => {
    const filter = new AttitudeFilter();
    filter.update([0, 0, 0], gravity(0), 0);
    const pitch = pitchOf(settled(filter, [0, 0, 0], gravity(0.3), 0.1));
    expect(pitch).toBeGreaterThan(0.01);
    expect(pitch).toBeLessThan(0.06);
  });

  it.each([
    ['pitch', [0, 1, 0], pitchOf],
    ['roll', [1, 0, 0], rollOf],
    ['yaw', [0, 0, 1], yawOf],
  ] as const)('follows the gyro in %s, with its sign', (_name, axis, read) => {
    const filter = new AttitudeFilter();
    let attitude = filter.update([0, 0, 0], gravity(0), 0);
    // Gravity turns with the body; it alone would need some seconds to bring the attitude there.
    for (let step = 0; step < 1 / DT; step++) {
      const turned = 0.5 * DT * step;
      const force = gravity(turned * axis[1], turned * axis[0]);
      attitude = filter.update([0.5 * axis[0], 0.5 * axis[1], 0.5 * axis[2]], force, DT);
    }
    expect(read(attitude)).toBeCloseTo(0.5, 3);
  });

  it('follows a body that swings with gyro and gravity in step', () => {
    const filter = new AttitudeFilter();
    let worst = 0;
    for (let step = 0; step < 2000; step++) {
      const time = step * DT;
      const pitch = 0.3 * Math.sin(3 * time);
      // The rate in the middle of the step that ends now.
      const rate = 0.9 * Math.cos(3 * (time - DT / 2));
      const attitude = filter.update([0, rate, 0], gravity(pitch), step === 0 ? 0 : DT);
      worst = Math.max(worst, Math.abs(pitchOf(attitude) - pitch));
    }
    expect(worst).toBeLessThan(0.005);
  });

  it('always is a rotation, whatever the sensors say, or unknown while the accelerometer says nothing', () => {
    const any = fc.tuple(angle(50), angle(50), angle(50));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(any, any, fc.double({ min: 0, max: 0.1, noNaN: true })), { minLength: 1 }),
        (log) => {
          const filter = new AttitudeFilter();
          for (const [gyro, force, dt] of log) {
            const attitude = filter.update(gyro, force, dt);
            if (Math.hypot(...force) === 0) expect(norm(attitude)).toBeNaN();
            else expect(norm(attitude)).toBeCloseTo(1, 9);
          }
        },
      ),
    );
  });

  it('does not take an accelerometer that reads nothing for one that reads upright', () => {
    const filter = new AttitudeFilter();
    expect(tiltOf(filter.update([0, 0, 0], [0, 0, 0], 0))).toBeNaN();
    expect(tiltOf(filter.update([0, 0, 0], gravity(0.3), DT))).toBeCloseTo(0.3, 9);
    expect(tiltOf(settled(filter, [0, 0, 0], [0, 0, 0], 1))).toBeNaN();
    expect(tiltOf(filter.update([0, 0, 0], gravity(0.3), DT))).toBeCloseTo(0.3, 9);
  });

  it('forgets everything at a reset', () => {
    const filter = new AttitudeFilter();
    settled(filter, [0, 0, 1], gravity(0.5), 1);
    filter.reset();
    const attitude = filter.update([0, 0, 0], gravity(-0.1), DT);
    expect([pitchOf(attitude), yawOf(attitude)]).toEqual([expect.closeTo(-0.1, 9), expect.closeTo(0, 9)]);
  });
});
