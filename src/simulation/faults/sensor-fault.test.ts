import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../random.ts';
import type { PlantSample } from '../plant.ts';
import { SENSOR_FAULTS, SENSORS, SensorFault, type SensorName } from './sensor-fault.ts';

const FRAME = 5000; // µs

/** A sample in which every number says when it was taken. */
const sampleAt = (index: number): PlantSample => {
  const angle = 0.001 * index;
  return {
    gyro: [index, index + 0.1, index + 0.2],
    acceleration: [index, index, 9.81],
    attitude: [Math.cos(angle / 2), 0, Math.sin(angle / 2), 0],
    wheelPosition: [index, -index],
    wheelVelocity: [index, -index],
    legPosition: [index, 1, 2, 3],
    legVelocity: [index, 0, 0, 0],
    wheelTorqueMeasured: [0.01 * index, 0],
    battery: 24,
    temperature: 35,
  };
};

const FIELDS: Record<SensorName, readonly (keyof PlantSample)[]> = {
  gyro: ['gyro'],
  acceleration: ['acceleration'],
  attitude: ['attitude'],
  wheelPosition: ['wheelPosition'],
  wheelVelocity: ['wheelVelocity'],
  legs: ['legPosition', 'legVelocity'],
  wheelTorqueMeasured: ['wheelTorqueMeasured'],
  battery: ['battery'],
  temperature: ['temperature'],
};

/** What the fault makes of so many frames in a row. */
const distorted = (fault: SensorFault, frames: number) =>
  Array.from({ length: frames }, (_, index) => fault.distort(sampleAt(index), index * FRAME));

const anySensor = fc.constantFrom(...SENSORS);
const anyFault = fc.constantFrom(...SENSOR_FAULTS);

describe('a sensor fault', () => {
  it('touches no other sensor, and gives numbers only', () => {
    fc.assert(
      fc.property(anySensor, anyFault, fc.integer(), (name, kind, seed) => {
        distorted(new SensorFault(name, kind, new Random(seed)), 30).forEach((sample, index) => {
          const truth = sampleAt(index);
          for (const other of SENSORS.filter((sensor) => sensor !== name)) {
            for (const field of FIELDS[other]) expect(sample[field]).toEqual(truth[field]);
          }
          for (const field of FIELDS[name]) {
            for (const value of [sample[field]].flat()) expect(value).toSatisfy(Number.isFinite);
          }
        });
      }),
      { numRuns: 60 },
    );
  });

  it('repeats itself under the same seed', () => {
    fc.assert(
      fc.property(anySensor, anyFault, fc.integer(), (name, kind, seed) => {
        const once = distorted(new SensorFault(name, kind, new Random(seed)), 40);
        expect(distorted(new SensorFault(name, kind, new Random(seed)), 40)).toEqual(once);
      }),
      { numRuns: 60 },
    );
  });

  it.each(SENSORS)('off: %s is silent, and says so where the wire has a flag for it', (name) => {
    const [sample] = distorted(new SensorFault(name, 'off', new Random(1)), 1);
    const silent = name === 'temperature' ? 255 : 0;
    for (const field of FIELDS[name]) for (const value of [sample?.[field]].flat()) expect(value).toBe(silent);
    expect(sample?.hasAttitude).toBe(name === 'attitude' ? false : undefined);
    expect(sample?.hasLegs).toBe(name === 'legs' ? false : undefined);
    expect(sample?.hasWheelTorque).toBe(name === 'wheelTorqueMeasured' ? false : undefined);
  });

  it.each(SENSORS)('stuck: %s says for ever what it said first', (name) => {
    const fault = new SensorFault(name, 'stuck', new Random(1));
    for (const sample of distorted(fault, 100)) {
      for (const field of FIELDS[name]) expect(sample[field]).toEqual(sampleAt(0)[field]);
    }
  });

  it('slow: says something new only every so many milliseconds', () => {
    const samples = distorted(new SensorFault('gyro', 'slow', new Random(1), 50), 40);
    expect(samples.map(({ gyro }) => gyro[0])).toEqual(Array.from({ length: 40 }, (_, index) => index - (index % 10)));
  });

  it('delayed: says what was so many milliseconds ago, and at first the oldest that it has', () => {
    const samples = distorted(new SensorFault('wheelVelocity', 'delayed', new Random(1), 25), 40);
    expect(samples.map(({ wheelVelocity }) => wheelVelocity[0])).toEqual(
      Array.from({ length: 40 }, (_, index) => Math.max(0, index - 5)),
    );
  });

  it('delayed: does not stand still at first when it is told what was before', () => {
    const past = Array.from({ length: 10 }, (_, index) => ({ at: (index - 10) * FRAME, sample: sampleAt(index - 10) }));
    const samples = distorted(new SensorFault('wheelVelocity', 'delayed', new Random(1), 25, past), 10);
    expect(samples.map(({ wheelVelocity }) => wheelVelocity[0])).toEqual([-5, -4, -3, -2, -1, 0, 1, 2, 3, 4]);
  });

  it('wrong: is off by the amount, and a wrong attitude is still a rotation', () => {
    const [sample] = distorted(new SensorFault('battery', 'wrong', new Random(1), -3), 1);
    expect(sample?.battery).toBe(21);
    const [leaning] = distorted(new SensorFault('attitude', 'wrong', new Random(1), 0.2), 1);
    expect(leaning?.attitude[2]).toBeCloseTo(Math.sin(0.1), 12);
    expect(Math.hypot(...(leaning?.attitude ?? []))).toBeCloseTo(1, 12);
  });

  it('noisy: has the mean of the truth and the deviation that was asked for', () => {
    const fault = new SensorFault('acceleration', 'noisy', new Random(7), 2);
    const errors = distorted(fault, 4000).map(({ acceleration }) => acceleration[2] - 9.81);
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    const deviation = Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length);
    expect(Math.abs(mean)).toBeLessThan(0.2);
    expect(deviation).toBeGreaterThan(1.8);
    expect(deviation).toBeLessThan(2.2);
  });

  it('intermittent: both answers and does not, in whole spans', () => {
    const samples = distorted(new SensorFault('legs', 'intermittent', new Random(3), 50), 400);
    const silent = samples.map(({ hasLegs }) => hasLegs === false);
    expect(silent).toContain(true);
    expect(silent).toContain(false);
    silent.forEach((value, index) => {
      expect(value).toBe(silent[index - (index % 10)]);
    });
  });

  it('garbage: fits on the wire and is never twice the same', () => {
    const values = distorted(new SensorFault('battery', 'garbage', new Random(3)), 100).map(({ battery }) => battery);
    expect(new Set(values).size).toBe(100);
    expect(values.every((value) => value >= 0 && value <= 63.75)).toBe(true);
  });
});
