import { Random } from '../../src/random.ts';
import { loadRobot } from '../../src/robot/robot.ts';
import { AnswerTap } from '../../src/simulation/answer-tap.ts';
import type { Joints, Plant, PlantSample } from '../../src/simulation/plant.ts';
import { openPty } from '../../src/simulation/pty.ts';
import type { GroundTruth } from '../../src/simulation/twin.ts';
import { VirtualMcu } from '../../src/simulation/virtual-mcu.ts';

/**
 * A process of its own: the virtual motor controller behind a real pty, at real pace, of a robot that stands upright in a
 * stand and whatever is done to it. So it can be armed again right after every stop. Tells its parent, by the clock that
 * all processes of a machine share, when a stop frame came.
 */
export type McuMessage =
  | { readonly is: 'ready'; readonly port: string }
  /** [ns] when the bytes of the stop were read, as decimal digits */
  | { readonly is: 'stop'; readonly atNs: string }
  | { readonly is: 'state'; readonly state: string }
  | { readonly is: 'latency'; readonly p50: number; readonly p99: number; readonly max: number };

const robot = loadRobot('wheel-legged');
const random = new Random(1);
const tell = (message: McuMessage) => process.send?.(message);

/** The least that a sensor's last digits do. */
const noise = (size: number) => size * (2 * random.uniform() - 1);

class Stand implements Plant {
  step(): void {}

  joints(): Joints {
    const { hipStance: hip, kneeStance: knee } = robot.legs;
    return { wheelVelocity: [0, 0], legPosition: [hip, knee, hip, knee], legVelocity: [0, 0, 0, 0] };
  }

  sample(): PlantSample {
    const { legPosition } = this.joints();
    const lean = noise(0.001);
    return {
      gyro: [noise(0.01), noise(0.01), noise(0.01)],
      acceleration: [noise(0.05), noise(0.05), 9.81 + noise(0.05)],
      attitude: [Math.cos(lean / 2), 0, Math.sin(lean / 2), 0],
      wheelPosition: [noise(0.001), noise(0.001)],
      wheelVelocity: [noise(0.02), noise(0.02)],
      legPosition,
      legVelocity: [noise(0.01), noise(0.01), noise(0.01), noise(0.01)],
      wheelTorqueMeasured: [noise(0.01), noise(0.01)],
      battery: 24,
      temperature: 35,
    };
  }

  truth(): GroundTruth {
    return { x: 0, speed: 0, pitch: 0, tilt: 0, height: 0, fallen: false };
  }
}

const pty = await openPty();
const tap = new AnswerTap();
let readAtNs = 0n;
let told = '';
const mcu = new VirtualMcu({
  robot,
  plant: new Stand(),
  send(bytes) {
    if (pty.write(bytes)) tap.wrote(bytes, performance.now());
  },
  onReceived({ message }) {
    if (message.kind === 'estop') tell({ is: 'stop', atNs: String(readAtNs) });
  },
});
pty.onData((bytes) => {
  readAtNs = process.hrtime.bigint();
  tap.heard(bytes, performance.now());
  mcu.receive(bytes);
  announce();
});

function announce(): void {
  if (mcu.state === told) return;
  told = mcu.state;
  tell({ is: 'state', state: told });
}

mcu.boot();
let last = performance.now();
const pace = setInterval(() => {
  const now = performance.now();
  // What a stall has cost slips; it is never caught up in a burst.
  mcu.advance(Math.min(now - last, 10) * 1000);
  last = now;
  announce();
}, 1);

process.on('message', () => tell({ is: 'latency', ...tap.latencyUs() }));
const end = () => {
  clearInterval(pace);
  void pty.close().then(() => process.exit());
};
process.once('SIGTERM', end);
process.once('disconnect', end);
tell({ is: 'ready', port: pty.path });
