import fc from 'fast-check';
import { of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { loadRobot } from '../robot/robot.ts';
import { Estimator, estimate } from './estimate.ts';
import { leaning, steadySensors } from './frames.testing.ts';
import { sensed } from './ticks.testing.ts';

const robot = loadRobot('wheel-legged');
const R = robot.wheels.radius;
const angle = fc.double({ min: -1, max: 1, noNaN: true });

/** Estimate of a single sample. */
const once = (over: Parameters<typeof steadySensors>[0]) =>
  new Estimator(robot).estimate(sensed({ sensors: steadySensors(over) }));

/** Estimates of samples that follow each other. */
function follow(
  estimator: Estimator,
  frames: ReadonlyArray<{ dt?: number; lost?: number; first?: boolean }>,
  from = 0,
) {
  let mcuTimeUs = from;
  return frames.map(({ dt = 5000, lost = 0, first = false }) => {
    mcuTimeUs += dt;
    return estimator.estimate(sensed({ mcuTimeUs, lost, first }));
  });
}
const settledFrames = (frames: number, dt = 5000) => Array.from({ length: frames }, () => ({ dt }));

describe('odometry', () => {
  it('does not move when the body pitches over wheels that stand still in the world', () => {
    fc.assert(
      fc.property(angle, (pitch) => {
        // The encoder measures the wheel against a body that leans forward under it.
        const { estimate } = once({ attitude: leaning(pitch), wheelPosition: [-pitch, -pitch] });
        expect(estimate.pitch).toBeCloseTo(pitch, 9);
        expect(estimate.x).toBeCloseTo(0, 9);
      }),
    );
  });

  it('does not speed up when the body turns over wheels that stand still in the world', () => {
    const { estimate } = once({ gyro: [0, 0.7, 0], wheelVelocity: [-0.7, -0.7] });
    expect(estimate.pitchRate).toBe(0.7);
    expect(estimate.v).toBeCloseTo(0, 12);
  });

  it('does not move when the legs bend over wheels that stand still in the world', () => {
    fc.assert(
      fc.property(angle, angle, (hip, knee) => {
        const wheel = -hip - knee;
        const { estimate } = once({
          legPosition: [hip, knee, hip, knee],
          legVelocity: [knee, hip, knee, hip],
          wheelPosition: [wheel, wheel],
          wheelVelocity: [wheel, wheel],
        });
        expect(estimate.x).toBeCloseTo(0, 9);
        expect(estimate.v).toBeCloseTo(0, 9);
      }),
    );
  });

  it('rolls by radius times the mean turn of the wheels, forward positive', () => {
    const { estimate } = once({ wheelPosition: [10, 12], wheelVelocity: [2, 4] });
    expect(estimate.x).toBeCloseTo(11 * R, 9);
    expect(estimate.v).toBeCloseTo(3 * R, 9);
  });

  it('takes each leg for its own side', () => {
    expect(once({ legPosition: [1, 0, 0, 0] }).estimate.x).toBeCloseTo(R / 2, 9);
    expect(once({ legPosition: [0, 0, 0, 1] }).estimate.x).toBeCloseTo(R / 2, 9);
  });
});

describe('attitude', () => {
  it('of an IMU that fuses itself is passed through, whatever the accelerometer says', () => {
    const { estimate } = once({ attitude: leaning(0.3), acceleration: [9.81, 0, 0] });
    expect(estimate.pitch).toBeCloseTo(0.3, 9);
    expect(estimate.tilt).toBeCloseTo(0.3, 9);
  });

  it('shows by its length that a quaternion is no rotation', () => {
    expect(once({ attitude: [0, 0, 0, 0] }).estimate.attitudeNorm).toBe(0);
    expect(once({ attitude: [0.5, 0, 0, 0] }).estimate.attitudeNorm).toBe(0.5);
    expect(once({}).estimate.attitudeNorm).toBe(1);
  });

  it('comes from gyro and accelerometer when the IMU has none of its own', () => {
    const force: [number, number, number] = [-9.81 * Math.sin(0.2), 0, 9.81 * Math.cos(0.2)];
    const { estimate } = once({ hasAttitude: false, attitude: [0, 0, 0, 0], acceleration: force });
    expect(estimate.pitch).toBeCloseTo(0.2, 6);
    expect(estimate.attitudeNorm).toBeCloseTo(1, 9);
  });

  it('follows the gyro by the MCU clock when the IMU has none of its own', () => {
    const estimator = new Estimator(robot);
    let pitch = 0;
    for (let frame = 0; frame <= 100; frame++) {
      // Where the body was before it turned in this step: gravity pulls the attitude nowhere.
      const before = 0.002 * Math.max(0, frame - 1);
      const { estimate } = estimator.estimate(
        sensed({
          mcuTimeUs: 2000 * frame,
          sensors: steadySensors({
            hasAttitude: false,
            gyro: [0, 1, 0],
            acceleration: [-9.81 * Math.sin(before), 0, 9.81 * Math.cos(before)],
          }),
        }),
      );
      pitch = estimate.pitch;
    }
    expect(pitch).toBeCloseTo(0.2, 4);
  });

  it('is not known, and nothing is finite, when an IMU without an attitude of its own reads nothing', () => {
    const { estimate } = once({ hasAttitude: false, attitude: [0, 0, 0, 0], acceleration: [0, 0, 0] });
    expect(estimate.attitudeNorm).toBeNaN();
    expect(estimate.tilt).toBeNaN();
    expect(estimate.finite).toBe(false);
  });

  it('is held against the accelerometer: how much it reads, and how far its vertical is off', () => {
    expect(once({}).estimate).toMatchObject({ specificForce: 9.81, gravityError: 0 });
    fc.assert(
      fc.property(angle, angle, (pitch, actual) => {
        const acceleration: [number, number, number] = [-9.81 * Math.sin(actual), 0, 9.81 * Math.cos(actual)];
        const { estimate } = once({ attitude: leaning(pitch), acceleration });
        expect(estimate.specificForce).toBeCloseTo(9.81, 9);
        expect(estimate.gravityError).toBeCloseTo(Math.abs(pitch - actual), 6);
      }),
    );
  });

  it('of an IMU that fuses itself goes on when the accelerometer reads nothing', () => {
    const { estimate } = once({ acceleration: [0, 0, 0] });
    expect(estimate).toMatchObject({ finite: true, specificForce: 0, gravityError: Number.NaN });
  });

  it('sees a fall to the side, which is no pitch', () => {
    const { estimate } = once({ attitude: [Math.cos(0.6), Math.sin(0.6), 0, 0] });
    expect(estimate.pitch).toBeCloseTo(0, 9);
    expect(estimate.tilt).toBeCloseTo(1.2, 9);
  });

  it('names the largest turn and the faster wheel, whatever the sign', () => {
    const { estimate } = once({ gyro: [0.1, -0.2, -3], wheelVelocity: [1, -40] });
    expect(estimate).toMatchObject({ angularRate: 3, wheelSpeed: 40, yawRate: -3 });
  });

  it('is not finite as soon as one number of it is not', () => {
    expect(once({}).estimate.finite).toBe(true);
    expect(once({ gyro: [0, Number.NaN, 0] }).estimate.finite).toBe(false);
    expect(once({ wheelPosition: [Number.POSITIVE_INFINITY, 0] }).estimate.finite).toBe(false);
  });
});

describe('the measured rate', () => {
  it('is unknown until a window has passed, then right by the MCU clock', () => {
    const ticks = follow(new Estimator(robot), settledFrames(101, 2500));
    expect(ticks.slice(0, 100).every((tick) => Number.isNaN(tick.rate))).toBe(true);
    expect(ticks.at(-1)?.rate).toBeCloseTo(400, 9);
  });

  it('does not depend on when the host saw the frames', () => {
    const estimator = new Estimator(robot);
    let rate = Number.NaN;
    for (let frame = 0; frame < 200; frame++) {
      const arrivedNs = BigInt(frame % 3) * 1_000_000_000n;
      rate = estimator.estimate(sensed({ mcuTimeUs: 5000 * frame, arrivedNs })).rate;
    }
    expect(rate).toBeCloseTo(200, 9);
  });

  it('stays right over lost frames', () => {
    const frames = Array.from({ length: 300 }, (_, index) =>
      index % 7 === 3 ? { dt: 15_000, lost: 2 } : { dt: 5000, lost: 0 },
    );
    const ticks = follow(new Estimator(robot), frames);
    expect(ticks.at(-1)?.rate).toBeCloseTo(200, 9);
  });

  it('is unknown again after the stream began anew', () => {
    const estimator = new Estimator(robot);
    follow(estimator, settledFrames(150));
    const [again] = follow(estimator, [{ first: true }], 3);
    expect(again).toMatchObject({ dtUs: 0, rate: Number.NaN, framesInARow: 1 });
  });
});

describe('time between frames and frames in a row', () => {
  it('are zero and one on the first frame', () => {
    expect(new Estimator(robot).estimate(sensed({ first: true }))).toMatchObject({ dtUs: 0, framesInARow: 1 });
  });

  it('count on with each frame and begin anew after a gap', () => {
    const ticks = follow(new Estimator(robot), [{}, {}, {}, { dt: 10_000, lost: 1 }, {}]);
    expect(ticks.map((tick) => tick.framesInARow)).toEqual([1, 2, 3, 1, 2]);
    expect(ticks.map((tick) => tick.dtUs)).toEqual([0, 5000, 5000, 10_000, 5000]);
  });
});

describe('estimate', () => {
  it('adds to the tick and changes nothing of it', () => {
    const tick = sensed();
    const copy = structuredClone(tick);
    of(tick)
      .pipe(estimate(new Estimator(robot)))
      .subscribe((after) => expect(after).toMatchObject(copy));
    expect(tick).toEqual(copy);
    expect.assertions(2);
  });
});
