import { describe, expect, it } from 'vitest';
import type { Sensors } from '../protocol/messages.gen.ts';
import { RESOLUTION } from '../protocol/messages.gen.ts';
import { loadRobot } from '../robot/robot.ts';
import { type ConditionId, FAILSAFE_TABLE } from '../safety/failsafe-table.ts';
import { inFallback, reasons } from '../safety/supervisor.ts';
import { clock, controlLoop } from './control-loop.testing.ts';
import { leaning, McuWire, steadySensors } from './frames.testing.ts';

const robot = loadRobot('wheel-legged');
const { limits } = robot;
const { acceleration: forceBit } = RESOLUTION.sensors;

/** A robot that runs under the balancer, from bytes to bytes, and what a test does to its line. */
class Patient {
  readonly loop = controlLoop();
  readonly wire = new McuWire();
  /** every condition that an event has named */
  get announced(): Set<unknown> {
    return new Set(this.#events.flatMap((event) => (event.event === 'conditions' ? (event.active as string[]) : [])));
  }
  readonly #events: Array<{ event: string; active?: unknown }> = [];
  #frame = 0;

  constructor() {
    this.loop.control.events$.subscribe((event) => this.#events.push(event));
    for (let frame = 0; frame < 200; frame++) this.loop.push(this.wire.sensors());
    const refusal = this.loop.enter();
    if (refusal) throw new Error(refusal.message);
    for (let frame = 0; frame < 20; frame++) this.frames({});
  }

  /** Frames of an active MCU, with what a fault makes of them. */
  frames(over: Partial<Sensors> | ((frame: number) => Partial<Sensors>), count = 1): void {
    for (let frame = 0; frame < count; frame++) {
      this.#frame += 1;
      const fault = typeof over === 'function' ? over(frame) : over;
      this.loop.push(this.wire.sensors({ state: 'active', ...fault }));
    }
  }

  get active(): string[] {
    return reasons(this.loop.control.safety.active);
  }
}

/** What is done to the line, and which condition it is for. */
const FAULTS: ReadonlyArray<readonly [ConditionId, string, (patient: Patient) => void]> = [
  ['imu-stuck', 'an IMU that hangs', (one) => one.frames(steadySensors({ state: 'active' }), 11)],
  ['sensor-lost', 'encoders that fall silent', (one) => one.frames({ hasLegs: false }, 2)],
  ['sensor-lost', 'an IMU that gives no attitude any more', (one) => one.frames({ hasAttitude: false }, 2)],
  ['attitude-jump', 'an attitude that jumps', (one) => one.frames({ attitude: leaning(0.3) }, 3)],
  [
    'acceleration-implausible',
    'an accelerometer that dies to noise',
    (one) => one.frames((frame) => ({ acceleration: [0, (frame % 2) * forceBit, 0.01] }), 300),
  ],
  [
    'turning-too-fast',
    'a gyro full of garbage',
    (one) => one.frames((frame) => ({ gyro: [0, 0, frame % 2 ? 30 : -30] }), 3),
  ],
  [
    'fall-predicted',
    'a blow',
    (one) => one.frames((frame) => ({ attitude: leaning(0.16 + 0.025 * frame), gyro: [0, 5, 0.001 * frame] }), 3),
  ],
  ['tilt', 'a fall', (one) => one.frames({ attitude: leaning(0.6) })],
  ['attitude-implausible', 'an attitude of zeros', (one) => one.frames({ attitude: [0, 0, 0, 0] }, 2)],
  ['wheel-overspeed', 'wheels that run away', (one) => one.frames({ wheelVelocity: [60, 60] }, 3)],
  [
    'wheel-slip',
    'one wheel on ice',
    (one) => one.frames((frame) => ({ wheelVelocity: [0, Math.min(35, 2 * frame)] }), 40),
  ],
  [
    'lift-off',
    'hands that lift it',
    (one) => {
      // Wheels alone: speed is the sum of torque over their own inertia.
      const torque = (frame: number) => (frame % 40 < 20 ? 0.3 : -0.3);
      let speed = 0;
      one.frames((frame) => {
        speed += (torque(frame) / robot.wheels.spinInertia) * 0.005;
        const both: [number, number] = [torque(frame), torque(frame)];
        return { wheelVelocity: [speed, speed], wheelTorqueApplied: both, wheelTorqueMeasured: both };
      }, 120);
    },
  ],
  ['joint-limit', 'an encoder that has slipped', (one) => one.frames({ legPosition: [2.6, 0, 0, 0] }, 3)],
  [
    'torque-tracking',
    'a wheel drive that is dead',
    (one) => one.frames({ wheelTorqueApplied: [1.2, 1.2], wheelTorqueMeasured: [1.2, 0] }, 200),
  ],
  ['temperature-high', 'a warm motor', (one) => one.frames({ temperature: limits.temperatureMaximum + 1 }, 120)],
  [
    'temperature-critical',
    'a burning motor',
    (one) => one.frames({ temperature: limits.temperatureCritical + 1 }, 120),
  ],
  ['battery-low', 'a weak battery', (one) => one.frames({ battery: limits.batteryMinimum - 0.25 }, 100)],
  ['battery-empty', 'an empty battery', (one) => one.frames({ battery: limits.batteryEmpty - 0.25 }, 200)],
  ['battery-collapse', 'a supply that breaks down', (one) => one.frames({ battery: limits.batteryCollapse - 0.25 }, 3)],
  ['mcu-fault', 'a fault of a drive', (one) => one.frames({ faults: 2 })],
  [
    'frame-late',
    'a sample that is late',
    (one) => {
      one.wire.pause(4000);
      one.frames({});
    },
  ],
  [
    'mcu-clock-jump',
    'a clock of the motor controller that jumps',
    (one) => {
      one.wire.pause(12_000);
      one.frames({});
    },
  ],
  [
    'sensor-gap',
    'frames that are lost',
    (one) => {
      one.wire.lose(5);
      one.frames({});
    },
  ],
  [
    'frames-out-of-order',
    'frames that come again',
    (one) => {
      for (let frame = 0; frame < 4; frame++) {
        const bytes = one.wire.sensors({ state: 'active' });
        one.loop.push(bytes);
        one.loop.push(bytes);
      }
      one.frames({});
    },
  ],
  [
    'line-noisy',
    'a line full of noise',
    (one) => {
      for (let burst = 0; burst < 7; burst++) {
        one.loop.push(Uint8Array.from({ length: 40 }, (_, index) => (index === 39 ? 0 : 7 + ((burst * index) % 200))));
        one.frames({});
      }
    },
  ],
  ['commands-late', 'commands that come too late', (one) => one.frames({ commandFresh: false }, 3)],
  [
    'clock-step',
    'a time service that steps the clock',
    (one) => {
      clock.wallOffset += 3000;
      one.frames({});
    },
  ],
  [
    'broker-lost',
    'a broker that dies',
    (one) => {
      one.loop.control.surroundings.brokerLost = true;
      one.frames({}, 200);
    },
  ],
  [
    'disk-full',
    'a disk that is full',
    (one) => {
      one.loop.control.surroundings.recorderReports('disk-full');
      one.frames({});
    },
  ],
  [
    'recorder-behind',
    'a recorder that does not keep up',
    (one) => {
      one.loop.control.surroundings.recorderReports('behind');
      one.frames({});
    },
  ],
];

const ENDS = { warn: 'running', fallback: 'running', brake: 'braking', limp: 'limp', estop: 'estopped' } as const;

describe('a fault on the line ends in what the table promises', () => {
  it('and nothing is active before it', () => {
    const one = new Patient();
    one.frames({}, 500);
    expect(one.active).toEqual([]);
    expect(one.loop.control.safety.robotState).toBe('running');
  });

  it.each(FAULTS)('%s: %s', (id, _what, inflict) => {
    const one = new Patient();
    expect(one.active).toEqual([]);
    inflict(one);
    const row = FAILSAFE_TABLE.find((condition) => condition.id === id);
    if (!row) throw new Error(id);
    expect(one.announced).toContain(id);
    const { safety } = one.loop.control;
    // Another condition may come with it, and a higher action wins: never a lower one than is promised.
    const ladder = ['running', 'braking', 'limp', 'estopped'];
    expect(ladder.indexOf(safety.robotState)).toBeGreaterThanOrEqual(ladder.indexOf(ENDS[row.action]));
    if (row.action === 'fallback' && safety.robotState === 'running') expect(inFallback(safety)).toBe(true);
    // The row of the frame names it; the last frame has no successor yet.
    one.frames({});
    expect(one.loop.rows.some((entry) => reasons(entry.conditions).includes(id))).toBe(true);
    for (const { command } of one.loop.ticks) {
      for (const torque of command.wheelTorque) {
        expect(Math.abs(torque)).toBeLessThanOrEqual(limits.wheelTorque);
      }
      if (command.requestedState !== 'active') expect(command.wheelTorque).toEqual([0, 0]);
    }
  });
});

describe('what is around control', () => {
  it('can warn, and nothing else: whatever it says, the robot runs on', () => {
    const one = new Patient();
    const { surroundings } = one.loop.control;
    for (let frame = 0; frame < 1000; frame++) {
      surroundings.brokerLost = frame % 7 !== 0;
      surroundings.recorderReports(frame % 3 === 0 ? 'disk-full' : frame % 3 === 1 ? 'behind' : '');
      surroundings.rowsLost(frame);
      if (frame % 100 === 0) clock.wallOffset += 5000;
      one.frames({});
      expect(one.loop.control.safety.robotState).toBe('running');
      expect(inFallback(one.loop.control.safety)).toBe(false);
    }
    expect(one.announced).toEqual(new Set(['recorder-behind', 'disk-full', 'clock-step']));
  });
});
