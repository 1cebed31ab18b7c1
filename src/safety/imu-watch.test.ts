import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { integrateRate, type Quaternion, tiltOf, tiltRateOf, upInBody } from '../robot/kinematics.ts';
import { loadRobot } from '../robot/robot.ts';
import { anyNumber } from './facts.testing.ts';
import { ImuWatch } from './imu-watch.ts';

type Vector = [number, number, number];

const robot = loadRobot('wheel-legged');
const dt = 0.005;
const rate = fc.tuple(
  fc.double({ min: -5, max: 5, noNaN: true }),
  fc.double({ min: -5, max: 5, noNaN: true }),
  fc.double({ min: -5, max: 5, noNaN: true }),
);

/** An IMU that tells the truth, until something is done to it. */
class Imu {
  readonly watch = new ImuWatch();
  attitude: Quaternion = { w: 1, x: 0, y: 0, z: 0 };
  #flicker = 0;
  #first = true;

  turn(gyro: Vector, told: { gyro?: Vector; attitude?: Quaternion; acceleration?: Vector } = {}): void {
    this.attitude = integrateRate(this.attitude, gyro, dt);
    this.#flicker = 1 - this.#flicker;
    const flicker = this.#flicker * 0.001;
    this.watch.update({
      gyro: told.gyro ?? [gyro[0] + flicker, gyro[1], gyro[2]],
      acceleration: told.acceleration ?? [0, flicker, 9.81],
      attitude: told.attitude ?? this.attitude,
      dt,
      first: this.#first,
    });
    this.#first = false;
  }
}

describe('an IMU that tells the truth', () => {
  it('is never found stuck or at odds with itself, however it turns', () => {
    fc.assert(
      fc.property(fc.array(rate, { minLength: 1, maxLength: 40 }), (rates) => {
        const imu = new Imu();
        for (const gyro of rates) {
          for (let frame = 0; frame < 10; frame++) imu.turn(gyro);
          expect(imu.watch.stuckUs).toBeLessThan(robot.timing.mcuWatchdog * 1000);
          expect(imu.watch.attitudeError).toBeLessThan(0.01);
          expect(imu.watch.meanSpecificForce).toBeCloseTo(9.81, 3);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('may have a gyro that is a little off', () => {
    const imu = new Imu();
    for (let frame = 0; frame < 4000; frame++) imu.turn([0, 0, 0], { gyro: [0.02, 0.02 + (frame % 2) / 1000, 0] });
    expect(imu.watch.attitudeError).toBeLessThan(0.05);
  });

  it('may send the other of the two quaternions for the same attitude', () => {
    const imu = new Imu();
    for (let frame = 0; frame < 100; frame++) {
      const { w, x, y, z } = imu.attitude;
      imu.turn([0.1, 0.2, 0.3], frame % 2 ? {} : { attitude: { w: -w, x: -x, y: -y, z: -z } });
      expect(imu.watch.attitudeError).toBeLessThan(0.01);
    }
  });
});

describe('an IMU that lies', () => {
  it.each(['gyro', 'acceleration'] as const)('is found stuck when its %s repeats itself', (what) => {
    const imu = new Imu();
    for (let frame = 0; frame < 20; frame++) imu.turn([0, 0.1, 0]);
    const frozen: Vector = [0.01, 0.02, 9.8];
    for (let frame = 0; frame < 11; frame++) imu.turn([0, 0.1, 0], { [what]: frozen });
    expect(imu.watch.stuckUs).toBe(50_000);
    imu.turn([0, 0.1, 0]);
    expect(imu.watch.stuckUs).toBe(0);
  });

  it('is found at odds with itself when its attitude jumps, and goes on to be for a while', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.3, max: 3, noNaN: true }), fc.integer({ min: 0, max: 2 }), (angle, axis) => {
        const imu = new Imu();
        for (let frame = 0; frame < 50; frame++) imu.turn([0.1, -0.2, 0.1]);
        const turn: Vector = [0, 0, 0];
        turn[axis] = angle / dt;
        for (let frame = 0; frame < 10; frame++) {
          imu.turn([0.1, -0.2, 0.1], { attitude: integrateRate(imu.attitude, turn, dt) });
          expect(imu.watch.attitudeError).toBeGreaterThan(0.25);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('is found at odds with itself when its attitude freezes while it falls, or its gyro has the wrong sign', () => {
    for (const told of [{ attitude: { w: 1, x: 0, y: 0, z: 0 } }, { gyro: [0, -2, 0] as Vector }]) {
      const imu = new Imu();
      for (let frame = 0; frame < 40; frame++) imu.turn([0, 2, 0], told);
      expect(imu.watch.attitudeError).toBeGreaterThan(0.25);
    }
  });

  it('is found weightless, or far too heavy, by its mean and not by one shock', () => {
    const imu = new Imu();
    for (let frame = 0; frame < 100; frame++) imu.turn([0, 0, 0]);
    imu.turn([0, 0, 0], { acceleration: [100, 0, 100] });
    expect(imu.watch.meanSpecificForce).toBeLessThan(12);
    for (let frame = 0; frame < 400; frame++) imu.turn([0, 0, 0], { acceleration: [frame % 2 ? 0 : 0.005, 0, 0] });
    expect(imu.watch.meanSpecificForce).toBeLessThan(2);
    for (let frame = 0; frame < 400; frame++) imu.turn([0, 0, 0], { acceleration: [0, frame % 2, 98] });
    expect(imu.watch.meanSpecificForce).toBeGreaterThan(30);
  });

  it('never makes the watch throw, and is forgotten once it is sane again', () => {
    const vector = fc.tuple(anyNumber, anyNumber, anyNumber);
    const quaternion = fc.record({ w: anyNumber, x: anyNumber, y: anyNumber, z: anyNumber });
    fc.assert(
      fc.property(
        fc.array(fc.record({ gyro: vector, acceleration: vector, attitude: quaternion }), { maxLength: 20 }),
        (lies) => {
          const imu = new Imu();
          for (const lie of lies) imu.turn([0, 0, 0], lie);
          for (let frame = 0; frame < 4000; frame++) imu.turn([0, 0, 0]);
          expect(imu.watch.attitudeError).toBeLessThan(0.25);
          expect(imu.watch.stuckUs).toBeLessThan(50_000);
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('the rate of the tilt', () => {
  it('is the difference of the tilt, for any attitude and any turn', () => {
    fc.assert(
      fc.property(rate, rate, (lean, turn) => {
        const attitude = integrateRate({ w: 1, x: 0, y: 0, z: 0 }, lean, 0.2);
        const up = upInBody(attitude);
        if (Math.hypot(up[0], up[1]) < 0.05) return;
        const [before, after] = [-1e-4, 1e-4].map((step) => tiltOf(integrateRate(attitude, turn, step)));
        expect(tiltRateOf(up, turn)).toBeCloseTo(((after ?? 0) - (before ?? 0)) / 2e-4, 2);
      }),
    );
  });

  it('counts any turn but that about the vertical when it stands upright', () => {
    expect(tiltRateOf([0, 0, 1], [3, 4, 5])).toBe(5);
  });
});
