import { Random } from '../../random.ts';
import type { SimCore } from '../sim-core.ts';
import type { FaultRequest } from '../sim-requests.ts';
import type { Side } from './drive-fault.ts';
import { SENSORS, type SensorName } from './sensor-fault.ts';

/** Sensors that share a chip or a bus and fail together. */
const GROUPS: Readonly<Record<string, readonly SensorName[]>> = {
  imu: ['gyro', 'acceleration', 'attitude'],
  all: SENSORS,
};

const SIDES: Readonly<Record<'left' | 'right' | 'both', readonly Side[]>> = { left: [0], right: [1], both: [0, 1] };

/** Breaks something in a running simulation, at the MCU time that the request says, until when it says. */
export class FaultInjector {
  readonly #core: SimCore;
  readonly #seed: number;
  /** counts what was drawn, so that each disturbance of the line has a stream of its own */
  #drawn = 0;
  /** what was put down before the latest `mend` does not happen any more */
  #mendings = 0;

  constructor(core: SimCore, seed: number) {
    this.#core = core;
    this.#seed = seed;
  }

  /** @throws EdgeError `requestRefused` for a body that a played log has not */
  inject(request: FaultRequest): void {
    const core = this.#core;
    switch (request.verb) {
      case 'sensor':
        this.#sensor(request);
        break;
      case 'link':
        this.#link(request);
        break;
      case 'motor':
        this.#motor(request);
        break;
      case 'slip': {
        const { faults } = core.needBody().twin;
        this.#during(request, () => {
          faults.grip(request.friction);
          return () => faults.grip(1);
        });
        break;
      }
      case 'payload': {
        const { faults } = core.needBody().twin;
        this.#during(request, () => {
          faults.load(request.kilograms, request.forward);
          return () => faults.load(0);
        });
        break;
      }
      case 'brown-out':
        this.#brownOut(request);
        break;
      case 'push': {
        const body = core.needBody();
        this.#later(request.after, () => body.push(request.newtons, request.seconds));
        break;
      }
      case 'fault':
        this.#later(request.after, () => core.mcu.setFaults(request.bits));
        break;
      case 'reboot':
        this.#later(request.after, () => core.mcu.boot());
        break;
    }
  }

  /** Ends all that is broken, and forgets what was to break later. */
  mend(): void {
    const { plant, links, body, mcu } = this.#core;
    this.#mendings += 1;
    for (const sensor of SENSORS) plant.mendSensor(sensor);
    for (const side of SIDES.both) {
      plant.mendDrive(side);
      body?.twin.faults.seize(side, false);
    }
    plant.supply = undefined;
    links.toHost.mend();
    links.toMcu.mend();
    body?.twin.faults.grip(1);
    body?.twin.faults.load(0);
    mcu.setFaults(0);
  }

  #sensor(request: FaultRequest & { verb: 'sensor' }): void {
    const { plant } = this.#core;
    const { fault, amount } = request;
    const names = GROUPS[request.sensor] ?? SENSORS.filter((name) => name === request.sensor);
    this.#during(request, () => {
      const ends = names.map((name) => {
        if (fault !== 'none') return plant.breakSensor(name, fault, amount);
        plant.mendSensor(name);
        return () => {};
      });
      return () => {
        for (const end of ends) end();
      };
    });
  }

  #link(request: FaultRequest & { verb: 'link' }): void {
    const { toHost, toMcu } = this.#core.links;
    const { fault: kind, direction = 'both', rate, amount, frames } = request;
    const lines = direction === 'both' ? [toHost, toMcu] : [direction === 'to-host' ? toHost : toMcu];
    this.#during(request, () => {
      const ends = lines.map((line) => {
        if (kind === 'none') {
          line.mend();
          return () => {};
        }
        this.#drawn += 1;
        return line.break({
          kind,
          random: new Random(this.#seed ^ (0x11b0000 + this.#drawn)),
          ...(rate !== undefined && { rate }),
          ...(amount !== undefined && { amount }),
          ...(frames !== undefined && { frames }),
        });
      });
      return () => {
        for (const end of ends) end();
      };
    });
  }

  #motor(request: FaultRequest & { verb: 'motor' }): void {
    const { plant, body } = this.#core;
    const { fault, side } = request;
    this.#during(request, () => {
      const ends = SIDES[side].map((wheel) => {
        body?.twin.faults.seize(wheel, fault === 'stuck');
        if (fault === 'none') {
          plant.mendDrive(wheel);
          return () => {};
        }
        const end = plant.breakDrive(wheel, fault);
        return () => {
          end();
          if (fault === 'stuck') body?.twin.faults.seize(wheel, false);
        };
      });
      return () => {
        for (const end of ends) end();
      };
    });
  }

  /** The supply sags; what runs on it resets, if it is away for any time; then it is back. */
  #brownOut({ after, volts = 9, sag = 0.05, off = 0.2 }: FaultRequest & { verb: 'brown-out' }): void {
    const core = this.#core;
    this.#later(after, () => {
      core.plant.supply = volts;
      this.#later(sag, () => {
        if (off > 0) core.mcu.powerOff();
        const back = () => {
          core.plant.supply = undefined;
          if (off > 0) core.mcu.boot();
        };
        // even when all is mended meanwhile: a motor controller without power is no fault that could be taken back
        core.agenda.at(core.elapsed + off * 1e6, back);
      });
    });
  }

  #during({ after, seconds }: { after?: number | undefined; seconds?: number | undefined }, begin: () => () => void) {
    this.#later(after, () => {
      const end = begin();
      if (seconds !== undefined) this.#core.agenda.at(this.#core.elapsed + seconds * 1e6, end);
    });
  }

  #later(after: number | undefined, act: () => void): void {
    if (!after) {
      act();
      return;
    }
    const mendings = this.#mendings;
    this.#core.agenda.at(this.#core.elapsed + after * 1e6, () => {
      if (this.#mendings === mendings) act();
    });
  }
}
