import type { McuState } from '../../protocol/messages.gen.ts';
import { Random } from '../../random.ts';
import type { Joints, Plant, PlantSample } from '../plant.ts';
import type { GroundTruth, Torques } from '../twin.ts';
import { type DriveFault, driven, type Side } from './drive-fault.ts';
import { type PastSample, SENSORS, SensorFault, type SensorFaultKind, type SensorName } from './sensor-fault.ts';

const stepMicros = 1000;
/** how far back a sensor that is late from now on can look [µs] */
const memoryMicros = 1_000_000;

/**
 * A plant whose sensors and drives fail as told. Readings are distorted as they enter a frame; the drives' own loops (legs,
 * brake) use encoders of their own and go on as they were.
 */
export class FaultyPlant implements Plant {
  readonly #plant: Plant;
  readonly #seed: number;
  readonly #sensors = new Map<SensorName, SensorFault>();
  readonly #drives = new Map<Side, DriveFault>();
  /** torques of the last millisecond, as they came and before any fault [N·m] */
  #commanded: readonly [number, number] = [0, 0];
  /** [V] to which the supply has sagged */
  #supply: number | undefined;
  /** latest samples as they were before any fault */
  readonly #past: PastSample[] = [];
  #now = 0;
  #drawn = 0;

  /** @param seed of whatever a fault draws; each has a stream of its own, so that one does not change another */
  constructor(plant: Plant, seed: number) {
    this.#plant = plant;
    this.#seed = seed;
  }

  /** @returns what ends this fault, and not one that has taken its place since */
  breakSensor(name: SensorName, kind: SensorFaultKind, amount?: number): () => void {
    this.#drawn += 1;
    const fault = new SensorFault(name, kind, new Random(this.#seed ^ (0x5eed0000 + this.#drawn)), amount, this.#past);
    return replace(this.#sensors, name, fault);
  }

  mendSensor(name: SensorName): void {
    this.#sensors.delete(name);
  }

  /** @returns what ends it */
  breakDrive(side: Side, kind: DriveFault['kind']): () => void {
    return replace(this.#drives, side, { kind, frozenAt: this.#commanded[side] });
  }

  mendDrive(side: Side): void {
    this.#drives.delete(side);
  }

  /** The supply reads this [V]; undefined: what it is. */
  set supply(volts: number | undefined) {
    this.#supply = volts;
  }

  /** What is broken now, for people. */
  get broken(): readonly string[] {
    const sensors = [...this.#sensors].map(([name, { kind }]) => `${name} ${kind}`);
    const drives = [...this.#drives].map(([side, { kind }]) => `${side === 0 ? 'left' : 'right'} wheel drive ${kind}`);
    return [...sensors, ...drives, ...(this.#supply === undefined ? [] : [`supply at ${this.#supply} V`])];
  }

  step(torques: Torques, state: McuState): void {
    this.#now += stepMicros;
    this.#commanded = torques.wheels;
    const [left, right] = torques.wheels;
    const wheels = [driven(left, this.#drives.get(0)), driven(right, this.#drives.get(1))] as const;
    this.#plant.step({ ...torques, wheels }, state);
  }

  joints(): Joints {
    return this.#plant.joints();
  }

  sample(state: McuState): PlantSample | undefined {
    let sample = this.#plant.sample(state);
    if (!sample) return undefined;
    this.#past.push({ at: this.#now, sample });
    while (this.#past[0] && this.#past[0].at < this.#now - memoryMicros) this.#past.shift();
    if (this.#supply !== undefined) sample = { ...sample, battery: this.#supply };
    // in a fixed order, whatever the order in which they were broken
    for (const name of SENSORS) sample = this.#sensors.get(name)?.distort(sample, this.#now) ?? sample;
    return sample;
  }

  truth(): GroundTruth {
    return this.#plant.truth();
  }
}

function replace<K, V>(map: Map<K, V>, key: K, value: V): () => void {
  map.set(key, value);
  return () => {
    if (map.get(key) === value) map.delete(key);
  };
}
