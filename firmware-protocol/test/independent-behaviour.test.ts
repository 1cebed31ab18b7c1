import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FrameDecoder, FrameEncoder } from '../../src/protocol/frame.ts';
import {
  type Hello,
  McuState,
  type Message,
  PROTOCOL_VERSION,
  RequestedState,
  SCHEMA_HASH,
} from '../../src/protocol/messages.gen.ts';
import { loadRobot } from '../../src/robot/robot.ts';
import { BenchPlant } from '../../src/simulation/host.testing.ts';
import { VirtualMcu } from '../../src/simulation/virtual-mcu.ts';
import { IndependentProgram, pythonIsMissing } from './independent-program.ts';

/** Sessions, states, commands and latches (§4 to §8): the virtual MCU and the one that was written from the page go through the same. */

const robot = loadRobot('wheel-legged');
const START = { sequence: 65_500, now: 2 ** 32 - 2_000_000, wheelVelocity: [4, -4] } as const;

type Step = { advance: number } | { receive: Uint8Array } | { faults: number };

interface Seen {
  readonly sent: unknown[];
  readonly state: string;
  readonly torque: readonly number[];
}

/** What says something of the rules; readings do not. Two frames of one millisecond may go in any order. */
function told(bytes: Uint8Array): unknown[] {
  const frames = new FrameDecoder({ from: 'mcu' }).push(bytes).map(({ sequence, time, message }) => {
    if (message.kind !== 'sensors') return { sequence, time, ...message };
    const { kind, state, commandFresh, answered, faults } = message;
    return { sequence, time, kind, state, commandFresh, answered, faults };
  });
  return frames.toSorted((a, b) => a.kind.localeCompare(b.kind));
}

/** The virtual MCU on a bench, with every host that there may be. */
class Bench {
  readonly steps: Step[] = [];
  readonly seen: Seen[] = [];
  readonly mcu: VirtualMcu;
  nonce = 0;
  #newest: number = START.sequence - 1;
  readonly #plant = new BenchPlant({ wheelVelocity: START.wheelVelocity });
  readonly #hosts = new FrameEncoder();
  #sent: Uint8Array[] = [];

  constructor(seed: number) {
    this.mcu = new VirtualMcu({
      robot,
      plant: this.#plant,
      seed,
      revision: 'python',
      startSequence: START.sequence,
      startTimeMicros: START.now,
      send: (bytes, { message, sequence }) => {
        this.#sent.push(bytes);
        if (message.kind === 'sensors') this.#newest = sequence;
        if (message.kind === 'hello') this.nonce = message.nonce;
      },
    });
    this.mcu.boot();
  }

  advance(milliseconds: number): void {
    this.#do({ advance: milliseconds }, () => this.mcu.advance(milliseconds * 1000));
  }

  faults(bits: number): void {
    this.#do({ faults: bits }, () => this.mcu.setFaults(bits));
  }

  say(message: Message): void {
    const bytes = this.#hosts.encode(message, 0);
    this.#do({ receive: bytes }, () => this.mcu.receive(bytes));
  }

  /** @param behind how many `sensors` frames ago the one was sent that is answered */
  command(session: number, behind: number, timeToLive: number, requestedState: RequestedState, torque: number): void {
    this.say({
      kind: 'command',
      session,
      answers: (this.#newest - behind) & 0xffff,
      timeToLive,
      requestedState,
      wheelTorque: [torque, -torque],
      legPosition: [0, 0, 0, 0],
      legVelocity: [0, 0, 0, 0],
      legTorque: [0, 0, 0, 0],
      legStiffness: [0, 0, 0, 0],
      legDamping: [0, 0, 0, 0],
    });
  }

  #do(step: Step, act: () => void): void {
    act();
    this.steps.push(step);
    const sent = told(Buffer.concat(this.#sent));
    this.#sent = [];
    this.seen.push({ sent, state: this.mcu.state, torque: this.#plant.torques.wheels });
  }
}

type Act = (bench: Bench) => void;

const often = <T>(usual: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 2 * others.length + 2, arbitrary: fc.constant(usual) },
    ...others.map((other) => fc.constant(other)),
  );
const A = 0xaaaa;
const session = often(A, 0xbbbb, 0);
const requests = Object.values(RequestedState);
const requested = fc.constantFrom<RequestedState>('active', ...requests);
const life = fc.constantFrom(0, 10, 5000, 20_000, 25_000, 60_000, 655_350);
const torque = fc.constantFrom(0, 1, -2.5, 7);

const hello: fc.Arbitrary<Act> = fc
  .record({ nonce: session, protocolVersion: often(PROTOCOL_VERSION, 2), schemaHash: often(SCHEMA_HASH, 1) })
  .map((changes) => (bench) => bench.say({ ...HELLO, ...changes }));
const command: fc.Arbitrary<Act> = fc
  .tuple(session, fc.oneof(often(0, 1, 2), fc.integer({ min: -2, max: 70 })), life, requested, torque)
  .map((words) => (bench) => bench.command(...words));
const clear: fc.Arbitrary<Act> = fc
  .record({ session, behind: often(0, 1, -1) })
  .map(({ session: from, behind }) => (bench) => {
    bench.say({ kind: 'clear', session: from, latch: (bench.mcu.latch - behind) & 0xffff });
  });
const estop: fc.Arbitrary<Act> = fc.nat({ max: 255 }).map((reason) => (bench) => bench.say({ kind: 'estop', reason }));
const faults: fc.Arbitrary<Act> = often(0, 0b100, 0b1000000001).map((bits) => (bench) => bench.faults(bits));
const wait: fc.Arbitrary<Act> = fc
  .oneof(fc.integer({ min: 1, max: 30 }), fc.constantFrom(49, 50, 51, 100, 350, 999, 1000, 1001))
  .map((milliseconds) => (bench) => bench.advance(milliseconds));
/** A host that does what it should, for a while. */
const drive: fc.Arbitrary<Act> = fc
  .record({ frames: fc.integer({ min: 1, max: 8 }), request: requested, timeToLive: often(25_000, 4000) })
  .map(({ frames, request, timeToLive }) => (bench) => {
    bench.say(HELLO);
    for (let i = 0; i < frames; i++) {
      bench.advance(5);
      bench.command(A, 0, timeToLive, request, 1);
    }
  });
/** The oldest frame that may still be answered, and the one before it. */
const answerLate: fc.Arbitrary<Act> = fc.constantFrom(62, 63, 64).map((behind) => (bench) => {
  bench.say(HELLO);
  bench.advance(400);
  bench.command(A, behind, 655_350, 'idle', 0);
});
/** A fault that comes under an e-stop, and is still there or not when that is cleared. */
const coveredFault: fc.Arbitrary<Act> = fc.constantFrom(0, 0b100).map((bits) => (bench) => {
  bench.say(HELLO);
  bench.say({ kind: 'estop', reason: 0 });
  bench.faults(0b100);
  bench.faults(bits);
  bench.say({ kind: 'clear', session: A, latch: bench.mcu.latch });
});
const acts = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: drive },
    { weight: 3, arbitrary: wait },
    { weight: 2, arbitrary: command },
    hello,
    clear,
    estop,
    faults,
    answerLate,
    coveredFault,
  ),
  { minLength: 1, maxLength: 25 },
);

const HELLO: Hello = {
  kind: 'hello',
  protocolVersion: PROTOCOL_VERSION,
  schemaHash: SCHEMA_HASH,
  nonce: A,
  peerNonce: 0,
  sensorRate: 0,
  watchdog: 0,
  latch: 0,
  latchCause: 'none',
  name: 'test',
  revision: '',
};

const onTheLine = (step: Step): [string, unknown] => {
  if ('receive' in step) return ['receive', Buffer.from(step.receive).toString('hex')];
  return 'advance' in step ? ['advance', step.advance] : ['faults', step.faults];
};

describe.skipIf(pythonIsMissing)(`two motor controllers of one page${pythonIsMissing}`, () => {
  let program: IndependentProgram;
  beforeAll(() => {
    program = new IndependentProgram('codec');
  });
  afterAll(() => program.end());

  test('say the same, in the same states, with the same torques, whatever happens to them', async () => {
    const states = new Set<string>();
    const refusals = new Set<string>();
    await fc.assert(
      fc.asyncProperty(acts, fc.integer({ min: 1, max: 1000 }), async (script, seed) => {
        const bench = new Bench(seed);
        for (const act of script) act(bench);
        const { seen, refused } = await program.ask({
          mcu: { ...START, nonce: bench.nonce, steps: bench.steps.map(onTheLine) },
        });
        const theirs = (seen as { sent: string; state: string; torque: number[] }[]).map((each): Seen => {
          return { ...each, sent: told(Buffer.from(each.sent, 'hex')) };
        });
        for (const [i, step] of bench.steps.entries()) {
          expect({ step: onTheLine(step), ...theirs[i] }).toEqual({ step: onTheLine(step), ...bench.seen[i] });
        }
        const rejected = Object.entries(bench.mcu.rejected).filter(([, count]) => count > 0);
        expect(refused).toEqual(Object.fromEntries(rejected));
        for (const { state } of bench.seen) states.add(state);
        for (const [name] of rejected) refusals.add(name);
      }),
      { numRuns: 300 },
    );
    // Every state and every refusal came up, or nothing was compared.
    expect([...states].toSorted()).toEqual(Object.values(McuState).toSorted());
    expect([...refusals].toSorted()).toEqual(['expired', 'notAllowed', 'staleAnswer', 'unknownAnswer', 'wrongSession']);
  });
});
