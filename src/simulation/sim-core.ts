import { readLog } from '../dataset/log/read-log.ts';
import { EdgeError } from '../errors.ts';
import type { Exchange } from './exchange-log.ts';
import { Agenda } from './faults/agenda.ts';
import { FaultyPlant } from './faults/faulty-plant.ts';
import { FaultInjector } from './faults/inject.ts';
import { LinkFault } from './faults/link-fault.ts';
import { loadGaps } from './gap.ts';
import type { Plant } from './plant.ts';
import { Playback } from './playback.ts';
import type { RobotSimOptions } from './robot-sim-options.ts';
import type { FaultRequest } from './sim-requests.ts';
import { SimulatedRobot } from './simulated-robot.ts';
import { TruthMeter } from './truth-meter.ts';
import type { Torques } from './twin.ts';
import { VirtualMcu } from './virtual-mcu.ts';
import { Wire } from './wire.ts';

export interface SimCoreOptions extends RobotSimOptions {
  readonly rate: number;
  /** of the MCU's nonces; default `seed` */
  readonly nonceSeed?: number;
  /** bytes that are through the wire, for the port */
  readonly toHost: (bytes: Uint8Array) => void;
  /** everything that the MCU sends and receives */
  readonly onExchange?: (exchange: Exchange) => void;
}

/** Robot or log, motor controller, wire and ground truth, in MCU time only: the whole simulation without host clock and port. */
export class SimCore {
  readonly mcu: VirtualMcu;
  readonly meter = new TruthMeter();
  /** the body, unless a log is played */
  readonly body: SimulatedRobot | undefined;
  /** what is to happen in MCU time */
  readonly agenda = new Agenda();
  /** robot or log, with sensors and drives that fail as told */
  readonly plant: FaultyPlant;
  /** the two directions of the line, disturbed as told */
  readonly links: { readonly toHost: LinkFault; readonly toMcu: LinkFault };
  readonly #toHost: Wire;
  readonly #toMcu: Wire;
  readonly #injector: FaultInjector;
  #elapsed = 0;

  private constructor(options: SimCoreOptions, body: SimulatedRobot | undefined, plant: Plant) {
    const { robot, rate, baud, seed = 1 } = options;
    this.body = body;
    this.plant = new FaultyPlant(plant, seed);
    this.#injector = new FaultInjector(this, seed);
    this.#toHost = new Wire(baud, options.toHost);
    this.#toMcu = new Wire(baud, (bytes) => this.mcu.receive(bytes));
    this.links = {
      toHost: new LinkFault((bytes) => this.#toHost.send(bytes, this.#elapsed)),
      toMcu: new LinkFault((bytes) => this.#toMcu.send(bytes, this.#elapsed)),
    };
    const { startSequence, startTimeMicros, name, revision, onExchange } = options;
    this.mcu = new VirtualMcu({
      robot,
      plant: this.plant,
      rate,
      seed: options.nonceSeed ?? seed,
      send: (bytes, sent) => {
        this.links.toHost.send(bytes, this.#elapsed);
        onExchange?.({ sent: sent.message, sequence: sent.sequence, time: sent.time });
      },
      onStep: (state, torques) => this.#afterStep(state, torques),
      ...(onExchange && {
        onReceived: ({ message, sequence }, verdict) =>
          onExchange({ received: message, sequence, ...(verdict !== undefined && { verdict }) }),
      }),
      ...(startSequence !== undefined && { startSequence }),
      ...(startTimeMicros !== undefined && { startTimeMicros }),
      ...(name !== undefined && { name }),
      ...(revision !== undefined && { revision }),
    });
  }

  /** @throws EdgeError `fileUnreadable`, `gapInvalid`, `logInvalid`, `simulatorMissing`, `modelNotLoadable` */
  static async create(options: SimCoreOptions): Promise<SimCore> {
    const { robot, playback } = options;
    if (playback !== undefined) return new SimCore(options, undefined, new Playback(robot, readLog(playback)));
    const { seed = 1, hand = false } = options;
    const body = await SimulatedRobot.create({ robot, gap: loadGaps(options.gaps ?? []), seed, hand });
    return new SimCore(options, body, body);
  }

  /** MCU time since the start [µs]; unlike the MCU's own clock it survives a reset. */
  get elapsed(): number {
    return this.#elapsed;
  }

  /** When the next `sensors` frame is due, as `elapsed`. */
  get nextFrame(): number {
    return this.#elapsed + this.mcu.untilFrame;
  }

  /** Bytes are still on the way to the host. */
  get sending(): boolean {
    return this.#toHost.busy;
  }

  /** The body. @throws EdgeError `requestRefused` while a log is played */
  needBody(): SimulatedRobot {
    if (this.body) return this.body;
    throw new EdgeError('requestRefused', 'a log has no body', 'start the simulator without a log');
  }

  /** Breaks something. @throws EdgeError `requestRefused` for a body that a played log has not */
  inject(fault: FaultRequest): void {
    this.#injector.inject(fault);
  }

  /** Ends every fault. */
  mend(): void {
    this.#injector.mend();
  }

  /** Lets MCU time pass until `elapsed`, in whole milliseconds. */
  advanceTo(elapsed: number): void {
    while (this.#elapsed + 1000 <= elapsed) this.mcu.advance(1000);
  }

  /** Bytes from the port. */
  receive(bytes: Uint8Array): void {
    this.links.toMcu.send(bytes, this.#elapsed);
  }

  /** Any bytes to the host, as a disturbed line would deliver. */
  disturb(bytes: Uint8Array): void {
    this.#toHost.send(bytes, this.#elapsed);
  }

  /** What is on the wires is lost. */
  unplug(): void {
    for (const link of [this.links.toHost, this.links.toMcu, this.#toHost, this.#toMcu]) link.clear();
  }

  /** Resolves after that much MCU time. */
  wait(seconds: number): Promise<void> {
    return new Promise((resolve) => this.agenda.at(this.#elapsed + seconds * 1e6, resolve));
  }

  truth() {
    const { x, speed, pitch, tilt, height } = this.plant.truth();
    return {
      time: this.#elapsed / 1e6,
      x,
      speed,
      pitch,
      tilt,
      height,
      state: this.mcu.state,
      hand: this.body?.held ?? false,
      lifts: this.body?.lifts ?? 0,
      falls: this.meter.falls,
      broken: this.broken,
      ended: this.mcu.ended,
    };
  }

  delete(): void {
    this.body?.delete();
  }

  /** What is broken now, for people. */
  get broken(): readonly string[] {
    const { toHost, toMcu } = this.links;
    const line = [
      ...(toHost.kind ? [`line to host: ${toHost.kind}`] : []),
      ...(toMcu.kind ? [`line to MCU: ${toMcu.kind}`] : []),
    ];
    return [...this.plant.broken, ...(this.body?.twin.faults.broken ?? []), ...line];
  }

  #afterStep(state: VirtualMcu['state'], torques: Torques): void {
    this.#elapsed += 1000;
    this.meter.observe(this.plant.truth(), state, this.body?.held ?? false, torques.wheels);
    for (const link of [this.links.toHost, this.links.toMcu, this.#toHost, this.#toMcu]) link.tick(this.#elapsed);
    this.agenda.tick(this.#elapsed);
  }
}
