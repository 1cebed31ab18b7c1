import { EdgeError } from '../errors.ts';
import type { Exchange } from './exchange-log.ts';
import { loadGaps } from './gap.ts';
import type { Plant } from './plant.ts';
import { Playback, readLog } from './playback.ts';
import type { RobotSimOptions } from './robot-sim-options.ts';
import { SimulatedRobot } from './simulated-robot.ts';
import { TruthMeter } from './truth-meter.ts';
import { VirtualMcu } from './virtual-mcu.ts';
import { type SensorsSequence, Wire } from './wire.ts';

export interface SimCoreOptions extends RobotSimOptions {
  readonly rate: number;
  /** bytes that are through the wire, for the port; and which `sensors` frame they are, if any */
  readonly toHost: (bytes: Uint8Array, sequence: SensorsSequence) => void;
  /** everything that the MCU sends and receives */
  readonly onExchange?: (exchange: Exchange) => void;
}

/** Robot or log, motor controller, wire and ground truth, in MCU time only: the whole simulation without host clock and port. */
export class SimCore {
  readonly mcu: VirtualMcu;
  readonly meter = new TruthMeter();
  /** the body, unless a log is played */
  readonly body: SimulatedRobot | undefined;
  /** of the latest `sensors` frame */
  lastSequence: number | undefined;
  readonly #plant: Plant;
  readonly #toHost: Wire;
  readonly #toMcu: Wire;
  readonly #waiting: { until: number; resolve: () => void }[] = [];
  #elapsed = 0;

  private constructor(options: SimCoreOptions, body: SimulatedRobot | undefined, plant: Plant) {
    const { robot, rate, baud, seed = 1 } = options;
    this.body = body;
    this.#plant = plant;
    this.#toHost = new Wire(baud, options.toHost);
    this.#toMcu = new Wire(baud, (bytes) => this.mcu.receive(bytes));
    const { startSequence, startTimeMicros, name, revision, onExchange } = options;
    this.mcu = new VirtualMcu({
      robot,
      plant,
      rate,
      seed,
      send: (bytes, sent) => {
        const isSensors = sent.message.kind === 'sensors';
        if (isSensors) this.lastSequence = sent.sequence;
        this.#toHost.send(bytes, this.#elapsed, isSensors ? sent.sequence : undefined);
        onExchange?.({ sent: sent.message, sequence: sent.sequence, time: sent.time });
      },
      onStep: (state) => this.#afterStep(state),
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

  /** Bytes are still on the way to the host. */
  get sending(): boolean {
    return this.#toHost.busy;
  }

  /** The body. @throws EdgeError `requestRefused` while a log is played */
  needBody(): SimulatedRobot {
    if (this.body) return this.body;
    throw new EdgeError('requestRefused', 'a log has no body', 'start the simulator without a log');
  }

  /** Lets MCU time pass until `elapsed`, in whole milliseconds. */
  advanceTo(elapsed: number): void {
    while (this.#elapsed + 1000 <= elapsed) this.mcu.advance(1000);
  }

  /** Bytes from the port. */
  receive(bytes: Uint8Array): void {
    this.#toMcu.send(bytes, this.#elapsed);
  }

  /** Any bytes to the host, as a disturbed line would deliver. */
  disturb(bytes: Uint8Array): void {
    this.#toHost.send(bytes, this.#elapsed);
  }

  /** What is on the wires is lost. */
  unplug(): void {
    this.#toHost.clear();
    this.#toMcu.clear();
  }

  /** Resolves after that much MCU time. */
  wait(seconds: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ until: this.#elapsed + seconds * 1e6, resolve }));
  }

  truth() {
    const { x, speed, pitch, tilt, height } = this.#plant.truth();
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
      ended: this.mcu.ended,
    };
  }

  delete(): void {
    this.body?.delete();
  }

  #afterStep(state: VirtualMcu['state']): void {
    this.#elapsed += 1000;
    this.meter.observe(this.#plant.truth(), state, this.body?.held ?? false);
    this.#toHost.tick(this.#elapsed);
    this.#toMcu.tick(this.#elapsed);
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const waiter = this.#waiting[i];
      if (!waiter || waiter.until > this.#elapsed) continue;
      this.#waiting.splice(i, 1);
      waiter.resolve();
    }
  }
}
