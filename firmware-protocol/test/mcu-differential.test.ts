import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Frame, FrameDecoder, FrameEncoder } from '../../src/protocol/frame.ts';
import { type Message, PROTOCOL_VERSION, SCHEMA_HASH } from '../../src/protocol/messages.gen.ts';
import { loadRobot } from '../../src/robot/robot.ts';
import type { Plant } from '../../src/simulation/plant.ts';
import { VirtualMcu } from '../../src/simulation/virtual-mcu.ts';
import { buildFolder } from './build-folder.ts';
import { buildDriver, type McuOperation, runCMcu } from './c-driver.ts';
import { has, SANITIZED } from './c-toolchain.ts';

/** The C state machine and the virtual MCU live through the same days and must say the same. */

const missing = has('gcc') ? '' : ' (skipped: no gcc)';
const folder = buildFolder();
const robot = loadRobot('wheel-legged');

const still = { wheelVelocity: [0, 0], legPosition: [0, 0, 0, 0], legVelocity: [0, 0, 0, 0] } as const;

/** A robot that reads nothing and moves nothing. */
const nowhere: Plant = {
  step: () => undefined,
  joints: () => still,
  sample: () => ({
    ...still,
    gyro: [0, 0, 0],
    acceleration: [0, 0, 0],
    attitude: [1, 0, 0, 0],
    wheelPosition: [0, 0],
    wheelTorqueMeasured: [0, 0],
    wheelTorqueApplied: [0, 0],
    battery: 24,
    temperature: 35,
  }),
  truth: () => {
    throw new Error('nobody asks');
  },
};

type Step =
  | { readonly kind: 'pass'; readonly milliseconds: number }
  | { readonly kind: 'hello'; readonly nonce: number; readonly foreign: boolean }
  | {
      readonly kind: 'command';
      readonly nonce: number;
      readonly age: number;
      readonly timeToLive: number;
      readonly requestedState: 'idle' | 'active' | 'braking' | 'limp';
    }
  | { readonly kind: 'estop' }
  | { readonly kind: 'clear'; readonly nonce: number; readonly age: number }
  | { readonly kind: 'faults'; readonly bits: number }
  | { readonly kind: 'noise'; readonly bytes: Uint8Array }
  | { readonly kind: 'reboot' };

/** Mostly the host in charge, now and then another one or none. */
const nonce = fc.oneof({ weight: 6, arbitrary: fc.constant(5) }, { weight: 1, arbitrary: fc.constantFrom(0, 6) });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), milliseconds: fc.integer({ min: 1, max: 40 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), milliseconds: fc.integer({ min: 300, max: 1400 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('hello' as const), nonce, foreign: fc.constantFrom(false, false, true) }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('command' as const),
      nonce,
      age: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: -1, max: 70 })),
      timeToLive: fc.oneof(
        fc.constant(25_000),
        // over in the very moment in which it arrives, now and then
        fc.integer({ min: 0, max: 6 }).map((frames) => frames * 5000),
        fc.integer({ min: 0, max: 600 }).map((milliseconds) => milliseconds * 1000),
      ),
      requestedState: fc.oneof(
        { weight: 4, arbitrary: fc.constant('active' as const) },
        { weight: 3, arbitrary: fc.constantFrom('idle' as const, 'braking' as const, 'limp' as const) },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('estop' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('clear' as const), nonce, age: fc.constantFrom(0, 0, 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('faults' as const), bits: fc.constantFrom(0, 0, 1, 512) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('noise' as const), bytes: fc.uint8Array({ maxLength: 150 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reboot' as const) }) },
);

/** Lets the virtual MCU live, and writes down what happened to it and what it said. */
function live(steps: readonly Step[]): { operations: McuOperation[]; sent: Buffer[]; states: Set<string> } {
  const operations: McuOperation[] = [];
  const sent: Buffer[] = [];
  const states = new Set<string>();
  let said: Uint8Array[] = [];
  let bootNonce = 0;
  let newest = 0;
  let host = new FrameEncoder();
  const mcu = new VirtualMcu({
    robot,
    plant: nowhere,
    revision: 'test',
    send: (bytes, { message, sequence }) => {
      if (message.kind === 'hello') bootNonce = message.nonce;
      if (message.kind === 'sensors') newest = sequence;
      said.push(bytes);
    },
  });
  const note = (operation: McuOperation) => {
    operations.push(operation);
    sent.push(Buffer.concat(said));
    said = [];
    states.add(mcu.state);
  };
  const boot = () => {
    mcu.boot();
    host = new FrameEncoder();
    newest = 0;
    note({ does: 'boot', nonce: bootNonce });
  };
  const tell = (message: Message) => {
    const bytes = host.encode(message, 0);
    mcu.receive(bytes);
    note({ does: 'receive', bytes });
  };
  boot();
  for (const what of steps) {
    switch (what.kind) {
      case 'pass':
        mcu.advance(what.milliseconds * 1000);
        note({ does: 'pass', milliseconds: what.milliseconds });
        break;
      case 'hello':
        tell(hello(what.nonce, what.foreign));
        break;
      case 'command':
        tell({ ...rest, ...what, session: what.nonce, answers: (newest - what.age) & 0xffff, kind: 'command' });
        break;
      case 'estop':
        tell({ kind: 'estop', reason: 1 });
        break;
      case 'clear':
        tell({ kind: 'clear', session: what.nonce, latch: (mcu.latch - what.age) & 0xffff });
        break;
      case 'faults':
        mcu.setFaults(what.bits);
        note({ does: 'faults', bits: what.bits });
        break;
      case 'noise':
        mcu.receive(what.bytes);
        note({ does: 'receive', bytes: what.bytes });
        break;
      case 'reboot':
        boot();
        break;
    }
  }
  return { operations, sent, states };
}

const rest = {
  wheelTorque: [0, 0],
  legPosition: [0, 0, 0, 0],
  legVelocity: [0, 0, 0, 0],
  legTorque: [0, 0, 0, 0],
  legStiffness: [0, 0, 0, 0],
  legDamping: [0, 0, 0, 0],
} as const;

const hello = (nonce: number, foreign: boolean): Message => ({
  kind: 'hello',
  protocolVersion: PROTOCOL_VERSION,
  schemaHash: foreign ? 1 : SCHEMA_HASH,
  nonce,
  peerNonce: 0,
  sensorRate: 0,
  watchdog: 0,
  latch: 0,
  latchCause: 'none',
  name: 'host',
  revision: '',
});

/** What an MCU said. Its drives differ and so do their torques: here only the protocol counts. */
function heard(decoder: FrameDecoder, bytes: Uint8Array): Frame[] {
  return decoder
    .push(bytes)
    .map((frame) =>
      frame.kind === 'sensors'
        ? { ...frame, message: { ...frame.message, legTorque: [0, 0, 0, 0], wheelTorqueApplied: [0, 0] } }
        : frame,
    );
}

test.skipIf(missing)(`h2o_mcu.c and the virtual MCU say the same, whatever happens to them${missing}`, () => {
  const driver = buildDriver(folder, SANITIZED);
  const visited = new Set<string>();
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 120 }), (steps) => {
      const { operations, sent, states } = live([
        { kind: 'pass', milliseconds: 5 },
        { kind: 'hello', nonce: 5, foreign: false },
        ...steps,
      ]);
      for (const state of states) visited.add(state);
      const c = runCMcu(driver, operations);
      const virtual = new FrameDecoder({ from: 'mcu' });
      const real = new FrameDecoder({ from: 'mcu' });
      operations.forEach((operation, i) => {
        const context = `operation ${i}: ${JSON.stringify(operation)}`;
        expect(heard(real, c[i] ?? Buffer.alloc(0)), context).toEqual(heard(virtual, sent[i] ?? Buffer.alloc(0)));
      });
    }),
    { numRuns: 300 },
  );
  expect([...visited].sort()).toEqual(['active', 'braking', 'estopped', 'faulted', 'idle', 'limp']);
});
