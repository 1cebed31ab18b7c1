import type { Random } from '../../random.ts';
import type { PlantSample } from '../plant.ts';
import { fromRotationVector, multiply, type Quaternion, type Vector } from '../rotation.ts';

/**
 * What a sensor can do wrong. The words are those of PX4's failure injection, so that they mean what users expect.
 *
 * - `off`: it does not answer: zeros, and its flag in the frame is cleared where it has one
 * - `stuck`: for ever the reading at the fault's begin
 * - `garbage`: each reading anything that fits on the wire
 * - `wrong`: plausible, but off by `amount` in its own unit; the attitude leans forward by it
 * - `slow`: a new reading only every `amount` ms
 * - `delayed`: readings of `amount` ms ago
 * - `intermittent`: every `amount` ms a coin decides whether it answers until the next toss
 * - `noisy`: normal noise on every component, standard deviation `amount` in its own unit
 */
export const SENSOR_FAULTS = ['off', 'stuck', 'garbage', 'wrong', 'slow', 'delayed', 'intermittent', 'noisy'] as const;
export type SensorFaultKind = (typeof SENSOR_FAULTS)[number];

/** Sensors that can fail one by one. `legs` are positions and velocities of all four leg joints. */
export const SENSORS = [
  'gyro',
  'acceleration',
  'attitude',
  'wheelPosition',
  'wheelVelocity',
  'legs',
  'wheelTorqueMeasured',
  'battery',
  'temperature',
] as const;
export type SensorName = (typeof SENSORS)[number];

/** Part of a sample that one sensor gives. */
type Reading = Partial<{ -readonly [K in keyof PlantSample]: PlantSample[K] }>;

/** A sample and when it was taken [µs]. */
export interface PastSample {
  readonly at: number;
  readonly sample: PlantSample;
}

interface Sensor {
  readonly fields: readonly (keyof PlantSample)[];
  /** the largest magnitude that the wire carries (PROTOCOL.md §10), for `garbage` */
  readonly range: number;
  /** least that the wire carries; default -range */
  readonly least?: number;
  /** what a reading is when nothing answers; default zeros */
  readonly silent?: Reading;
  /** amount of `wrong`, and of `noisy`, unless given */
  readonly wrong: number;
  readonly noisy: number;
}

const SENSOR: Record<SensorName, Sensor> = {
  gyro: { fields: ['gyro'], range: 50, wrong: 0.5, noisy: 0.5 },
  acceleration: { fields: ['acceleration'], range: 163, wrong: 5, noisy: 5 },
  attitude: {
    fields: ['attitude'],
    range: 1,
    silent: { attitude: [0, 0, 0, 0], hasAttitude: false },
    wrong: 0.2,
    noisy: 0.05,
  },
  wheelPosition: { fields: ['wheelPosition'], range: 1000, wrong: 5, noisy: 0.5 },
  wheelVelocity: { fields: ['wheelVelocity'], range: 163, wrong: 10, noisy: 5 },
  legs: {
    fields: ['legPosition', 'legVelocity'],
    range: 3.2,
    silent: { legPosition: [0, 0, 0, 0], legVelocity: [0, 0, 0, 0], hasLegs: false },
    wrong: 0.3,
    noisy: 0.1,
  },
  wheelTorqueMeasured: {
    fields: ['wheelTorqueMeasured'],
    range: 32,
    silent: { wheelTorqueMeasured: [0, 0], hasWheelTorque: false },
    wrong: 1,
    noisy: 0.5,
  },
  battery: { fields: ['battery'], range: 63, least: 0, wrong: -10, noisy: 2 },
  // 255 is how the wire says "not measured"
  temperature: { fields: ['temperature'], range: 254, least: 0, silent: { temperature: 255 }, wrong: 60, noisy: 10 },
};

/** [ms] of `slow`, `delayed` and `intermittent`, unless given */
const SPAN = { slow: 100, delayed: 50, intermittent: 50 } as const;

/** One sensor's fault, from its first reading on. Times are MCU time [µs]. */
export class SensorFault {
  readonly kind: SensorFaultKind;
  readonly #sensor: Sensor;
  readonly #random: Random;
  readonly #amount: number;
  /** for `stuck` and `slow`: what it says, and since when */
  #held: { readonly at: number; readonly reading: Reading } | undefined;
  /** for `delayed`: newest last */
  readonly #past: { readonly at: number; readonly reading: Reading }[];
  /** for `intermittent` */
  #toss: { readonly at: number; readonly answers: boolean } | undefined;

  /**
   * @param amount see `SENSOR_FAULTS`; a default of its own for each sensor
   * @param past samples before the fault, oldest first: a sensor that grows slow does not stand still until its first late reading is there
   */
  constructor(
    name: SensorName,
    kind: SensorFaultKind,
    random: Random,
    amount?: number,
    past: readonly PastSample[] = [],
  ) {
    const sensor = SENSOR[name];
    this.kind = kind;
    this.#sensor = sensor;
    this.#random = random;
    this.#amount = amount ?? defaultAmount(sensor, kind);
    this.#past = past.map(({ at, sample }) => ({ at, reading: pick(sample, sensor.fields) }));
  }

  /** What the sensor says in place of the truth. */
  distort(sample: PlantSample, now: number): PlantSample {
    return { ...sample, ...this.#distorted(sample, now) };
  }

  #distorted(sample: PlantSample, now: number): Reading {
    const amount = this.#amount;
    switch (this.kind) {
      case 'off':
        return this.#silent(sample);
      case 'stuck':
        this.#held ??= { at: now, reading: pick(sample, this.#sensor.fields) };
        return this.#held.reading;
      case 'slow':
        if (!this.#held || now - this.#held.at >= amount * 1000) {
          this.#held = { at: now, reading: pick(sample, this.#sensor.fields) };
        }
        return this.#held.reading;
      case 'delayed':
        return this.#delayed(sample, now);
      case 'intermittent':
        if (!this.#toss || now - this.#toss.at >= amount * 1000) {
          this.#toss = { at: now, answers: this.#random.uniform() < 0.5 };
        }
        return this.#toss.answers ? {} : this.#silent(sample);
      case 'garbage':
        return this.#each(sample, () => this.#anything());
      case 'wrong':
        if (this.#sensor === SENSOR.attitude) return turned(sample, [0, amount, 0]);
        return this.#each(sample, (value) => value + amount);
      case 'noisy': {
        const noise = () => amount * this.#random.gaussian();
        if (this.#sensor === SENSOR.attitude) return turned(sample, [noise(), noise(), noise()]);
        return this.#each(sample, (value) => value + noise());
      }
    }
  }

  #silent(sample: PlantSample): Reading {
    return this.#sensor.silent ?? this.#each(sample, () => 0);
  }

  #anything(): number {
    const { range, least = -range } = this.#sensor;
    return least + (range - least) * this.#random.uniform();
  }

  #delayed(sample: PlantSample, now: number): Reading {
    const past = this.#past;
    past.push({ at: now, reading: pick(sample, this.#sensor.fields) });
    // the newest that is old enough; before there is one, the oldest
    while (past[1] && past[1].at <= now - this.#amount * 1000) past.shift();
    return past[0]?.reading ?? {};
  }

  #each(sample: PlantSample, change: (value: number) => number): Reading {
    const changed = this.#sensor.fields.map((field) => {
      const value = sample[field];
      return [field, typeof value === 'number' ? change(value) : (value as readonly number[]).map(change)];
    });
    return Object.fromEntries(changed);
  }
}

function defaultAmount(sensor: Sensor, kind: SensorFaultKind): number {
  if (kind === 'wrong' || kind === 'noisy') return sensor[kind];
  if (kind === 'slow' || kind === 'delayed' || kind === 'intermittent') return SPAN[kind];
  return 0;
}

function pick(sample: PlantSample, fields: readonly (keyof PlantSample)[]): Reading {
  return Object.fromEntries(fields.map((field) => [field, sample[field]]));
}

/** The attitude turned by a rotation vector [rad] in the body's frame. */
function turned(sample: PlantSample, vector: Vector): Reading {
  const attitude: Quaternion = multiply(sample.attitude, fromRotationVector(vector));
  return { attitude };
}
