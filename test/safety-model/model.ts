import fc from 'fast-check';
import { expect } from 'vitest';
import { type CommandEnvelope, signCommand } from '../../src/keys/command.ts';
import type { Mode } from '../../src/messages/mode.ts';
import type { Command } from '../../src/messages/requests.ts';
import { type Answer, keys, ROBOT, type SafetySystem } from './safety-system.ts';
import type { VirtualDisk } from './virtual-disk.ts';

/** Life of a challenge [ms]. */
const CHALLENGE_LIFE = 10_000;
const MOST_HELD = 12;

/** What is wrong with a signed command from the beginning, if anything. */
const FLAWS = ['none', 'untrusted-key', 'release-key', 'other-robot', 'altered', 'made-up-challenge'] as const;
type Flaw = (typeof FLAWS)[number];

const STAND: Mode = { task: 'standing-still', controller: 'balancer' };
const MOVE: Mode = { task: 'moving-straight', controller: 'balancer' };
const SESSION = 'watching';
const ORDERS = {
  stand: { name: 'mode', mode: STAND, session: SESSION },
  move: { name: 'mode', mode: MOVE, session: SESSION },
  reset: { name: 'reset' },
} as const satisfies Record<string, Command>;
type Order = keyof typeof ORDERS;

/** A signed command that somebody keeps, to deliver it whenever and to whomever he likes, as often as he likes. */
interface Held {
  readonly order: Order;
  readonly envelope: CommandEnvelope;
  readonly flaw: Flaw;
  readonly connection: number;
  readonly life: number;
  readonly issuedAt: number;
  readonly lifetime: number;
  readonly counter: number;
  used: boolean;
}

export interface Experience {
  moved: number;
  stopped: number;
  reset: number;
  refused: number;
  restartedStopped: number;
}

/**
 * What may be so, in the fewest words: whether a stop is in force, and whether a valid order to move is. Everything else the
 * robot may decide by itself, as long as it errs to the side of standing still.
 */
export class Model {
  stopped = false;
  granted = false;
  /** the motor controller has started anew since the latest valid order to move */
  rebooted = false;
  /** stops so far: a reset undoes none that came after it was asked for */
  stops = 0;
  readonly held: Held[] = [];
  counter = 0;
  /** counter of the latest command that was verified, in this life of control */
  verified = -1;
  beat = 0;
  /** what was found where nobody could be told */
  readonly problems: string[] = [];
  readonly experience: Experience;

  constructor(experience: Experience) {
    this.experience = experience;
  }

  /** Somebody has stopped it. */
  stop(): void {
    this.stops += 1;
    this.isStopped();
  }

  isStopped(): void {
    if (!this.stopped) this.experience.stopped += 1;
    this.stopped = true;
    this.granted = false;
  }
}

export interface Real {
  readonly system: SafetySystem;
  readonly disk: VirtualDisk;
}

/** What holds after every step and, for the edges, at every instant. */
export function watch(model: Model, { system }: Real): void {
  system.onActive = () => {
    const allowed = model.granted && !model.stopped && !model.rebooted;
    if (!allowed) model.problems.push('the motor controller became active without leave');
    model.experience.moved += 1;
  };
}

function examine(model: Model, { system }: Real): void {
  const { control, latch } = system.control;
  const { robotState } = control.safety;
  // A stop by the failsafe table or the motor controller's own input is as good as any.
  if (robotState === 'estopped') model.isStopped();
  if (model.problems.length > 0) throw new Error(model.problems.join('; '));
  if (model.stopped) {
    expect(robotState).toBe('estopped');
    expect(latch.latched).toBe(true);
    if (system.plugged) expect(system.mcu.state).not.toBe('active');
  }
  if (!model.granted) expect(robotState).not.toBe('running');
}

type Step = (model: Model, real: Real) => Promise<void> | void;

class Named implements fc.AsyncCommand<Model, Real> {
  readonly #name: string;
  readonly #step: Step;

  constructor(name: string, step: Step) {
    this.#name = name;
    this.#step = step;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    await this.#step(model, real);
    examine(model, real);
  }

  toString(): string {
    return this.#name;
  }
}

/** Signs an order over a fresh challenge of that connection, with or without a flaw. */
export async function sign(
  model: Model,
  { system }: Real,
  { order, flaw = 'none', connection = 0, lifetime = CHALLENGE_LIFE }: SignOptions,
): Promise<Held> {
  const [issued] = await system.ask(connection, { request: 'challenge' });
  model.counter += 1;
  const payload = {
    robot: flaw === 'other-robot' ? 'robot-2' : ROBOT,
    challenge: flaw === 'made-up-challenge' ? 'AAAAAAAAAAAAAAAAAAAAAA' : String(issued?.challenge),
    counter: model.counter,
    ...(lifetime < CHALLENGE_LIFE && { expiresInMs: lifetime }),
    command: ORDERS[order],
  };
  const { stranger, release, operator } = keys;
  const key = flaw === 'untrusted-key' ? stranger : flaw === 'release-key' ? release : operator;
  const signed = signCommand(payload, key.privateKey);
  const other = JSON.stringify({ ...payload, command: order === 'reset' ? ORDERS.stand : ORDERS.reset });
  return {
    order,
    envelope: flaw === 'altered' ? { ...signed, payload: other } : signed,
    flaw,
    connection,
    life: system.life,
    issuedAt: system.now,
    lifetime,
    counter: model.counter,
    used: false,
  };
}

interface SignOptions {
  readonly order: Order;
  readonly flaw?: Flaw;
  readonly connection?: number;
  readonly lifetime?: number;
}

/** The rule, in the model's own words: who may be obeyed. */
const mayBeObeyed = (model: Model, system: SafetySystem, held: Held, connection: number): boolean =>
  held.flaw === 'none' &&
  !held.used &&
  held.connection === connection &&
  held.life === system.life &&
  system.now - held.issuedAt <= held.lifetime &&
  held.counter > model.verified;

export async function deliver(model: Model, { system }: Real, held: Held, connection = held.connection): Promise<void> {
  const allowed = mayBeObeyed(model, system, held, connection);
  const stops = model.stops;
  const life = system.life;
  const settle = (answer: Answer) => {
    // Whoever was killed meanwhile has nothing more to say.
    if (system.life !== life) return;
    if (answer.ok !== true) {
      model.experience.refused += 1;
      return;
    }
    if (!allowed) model.problems.push(`${held.order} was obeyed that must not be`);
    if (held.order !== 'reset') {
      if (model.stopped) model.problems.push('a mode was entered while stopped');
      model.granted = true;
      model.rebooted = false;
      return;
    }
    if (model.stops !== stops) model.problems.push('a reset has undone a stop that came after it');
    model.stopped = false;
    model.granted = false;
    model.experience.reset += 1;
  };
  const before = system.control.control.safety.robotState;
  let code = '';
  system.control.connections[connection]?.handle({ request: 'command', envelope: held.envelope }, (answer) => {
    code = String((answer as Answer).refusal?.code ?? '');
    settle(answer as Answer);
  });
  await new Promise((resolve) => setImmediate(resolve));
  if (!allowed) expect(system.control.control.safety.robotState).toBe(before);
  if (code !== 'too-many-commands') {
    if (connection === held.connection && life === held.life) held.used = true;
    if (allowed) model.verified = held.counter;
  }
}

const named = (name: string, step: Step) => new Named(name, step);

const order = fc.constantFrom<Order>('stand', 'move', 'reset');
const connection = fc.nat({ max: 1 });

const arm: fc.Arbitrary<fc.AsyncCommand<Model, Real>> = fc.constant(
  named('arm', async (model, real) => {
    await real.system.pass(700);
    await deliver(model, real, await sign(model, real, { order: 'stand' }));
    await real.system.pass(20);
  }),
);

/** Everything that anybody can do to the robot. New ways of starting or stopping belong into this list. */
export const steps: ReadonlyArray<fc.Arbitrary<fc.AsyncCommand<Model, Real>>> = [
  // time
  fc
    .oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 100, max: 1500 }), fc.constant(11_000))
    .map((ms) => named(`pass(${ms})`, (_, { system }) => system.pass(ms))),
  fc.constant(named('settle', (_, { system }) => system.pass(700))),

  // the operator who has the key
  order.map((what) =>
    named(`order(${what})`, async (model, real) => deliver(model, real, await sign(model, real, { order: what }))),
  ),
  fc.constant(
    named('reset, and time for it', async (model, real) => {
      await deliver(model, real, await sign(model, real, { order: 'reset' }));
      await real.system.pass(300);
    }),
  ),
  // Most of the time somebody wants it to move; otherwise there would be little to stop.
  arm,
  arm,
  arm,
  fc.boolean().map((right) =>
    named(`beat(${right})`, async (model, { system }) => {
      model.beat += 1;
      const session = right ? SESSION : 'somebody else';
      await system.ask(0, { request: 'heartbeat', session, counter: model.beat });
    }),
  ),

  // whoever keeps messages, changes them, or has another key
  fc
    .record({
      order,
      flaw: fc.constantFrom<Flaw>('none', ...FLAWS),
      connection,
      lifetime: fc.constantFrom(CHALLENGE_LIFE, 100),
    })
    .map((options) =>
      named(`sign(${Object.values(options).join(' ')})`, async (model, real) => {
        model.held.push(await sign(model, real, options));
        if (model.held.length > MOST_HELD) model.held.shift();
      }),
    ),
  fc.record({ which: fc.nat({ max: MOST_HELD }), connection }).map(({ which, connection }) =>
    named(`deliver(${which} on ${connection})`, async (model, real) => {
      const held = model.held[which % Math.max(1, model.held.length)];
      if (held) await deliver(model, real, held, connection);
    }),
  ),
  fc
    .record({ order, lifetime: fc.constantFrom(CHALLENGE_LIFE, 100), wait: fc.constantFrom(1, 50, 10_100) })
    .map(({ order, lifetime, wait }) =>
      named(`late(${order}, good for ${lifetime}, after ${wait})`, async (model, real) => {
        await real.system.pass(700);
        const held = await sign(model, real, { order, lifetime });
        await real.system.pass(wait);
        await deliver(model, real, held);
      }),
    ),
  fc.tuple(order, fc.constantFrom<Flaw>(...FLAWS)).map(([order, flaw]) =>
    named(`flawed(${order} ${flaw})`, async (model, real) => {
      await real.system.pass(700);
      await deliver(model, real, await sign(model, real, { order, flaw }));
    }),
  ),
  fc.tuple(order, fc.boolean()).map(([order, again]) =>
    named(`by another connection(${order}${again ? ' again' : ''})`, async (model, real) => {
      await real.system.pass(700);
      const held = await sign(model, real, { order });
      if (again) await deliver(model, real, held);
      await deliver(model, real, held, 1);
    }),
  ),
  fc.tuple(order, order).map(([one, other]) =>
    named(`reordered(${other} before ${one})`, async (model, real) => {
      await real.system.pass(700);
      const [first, second] = [await sign(model, real, { order: one }), await sign(model, real, { order: other })];
      for (const held of [second, first, second]) await deliver(model, real, held);
    }),
  ),
  fc
    .oneof(fc.anything(), fc.record({ payload: fc.json(), keyId: fc.string(), signature: fc.base64String() }))
    .map((envelope) =>
      named(`unsigned(${fc.stringify(envelope)})`, async (_, { system }) => {
        const [answer] = await system.ask(1, { request: 'command', envelope });
        expect(answer?.ok).toBe(false);
      }),
    ),

  // stopping, by anyone
  connection.map((from) =>
    named(`estop(${from})`, async (model, { system }) => {
      // It is in force before anything else can happen.
      const asked = system.ask(from, { request: 'estop', source: 'anyone' });
      expect(system.control.control.safety.robotState).toBe('estopped');
      model.stop();
      await asked;
    }),
  ),
  fc.constant(
    named('disarm', async (model, { system }) => {
      await system.ask(1, { request: 'disarm' });
      model.granted = false;
    }),
  ),
  fc.constant(
    named('stop at the motor controller', (model, { system }) => {
      model.stops += 1;
      system.forge({ kind: 'estop', reason: 2 });
    }),
  ),

  // whoever is on the line
  fc.array(fc.nat({ max: 200 }), { minLength: 1, maxLength: 30 }).map((which) =>
    named(`replay on the line(${which})`, (_, { system }) => {
      for (const index of which) {
        const bytes = system.overheard[index % Math.max(1, system.overheard.length)];
        if (bytes) system.inject(bytes);
      }
    }),
  ),
  fc.nat({ max: 3 }).map((latch) =>
    named(`forged clear(${latch})`, (_, { system }) => {
      system.forge({ kind: 'clear', session: 999, latch });
    }),
  ),

  // what breaks
  fc.constant(named('unplug', (_, { system }) => system.unplug())),
  fc.constant(named('replug', (_, { system }) => system.replug())),
  fc.constant(
    named('reboot the motor controller', (model, { system }) => {
      model.rebooted = true;
      system.mcu.boot();
    }),
  ),
  fc.constantFrom(0, 1).map((bits) => named(`faults(${bits})`, (_, { system }) => system.mcu.setFaults(bits))),
  fc.constantFrom(0, 1).map((lean) =>
    named(`lean(${lean})`, (_, { system }) => {
      system.plant.lean = lean;
    }),
  ),
  fc.boolean().map((dead) =>
    named(`disk ${dead ? 'dies' : 'is mended'}`, (_, { disk }) => {
      disk.dead = dead;
    }),
  ),
  fc.constant(
    named('restart control', async (model, { system, disk }) => {
      let onDisk = false;
      await system.restart(() => {
        onDisk = disk.holdsStop;
      });
      model.granted = false;
      model.verified = -1;
      model.stopped = onDisk;
      if (onDisk) model.experience.restartedStopped += 1;
      expect(system.control.control.safety.robotState).toBe(onDisk ? 'estopped' : 'disarmed');
    }),
  ),
];

/** Mends everything that a run may have broken. Then an operator gets the robot going again, or the test has shown nothing. */
export async function recover(model: Model, real: Real): Promise<void> {
  const { system, disk } = real;
  disk.dead = false;
  system.plant.lean = 0;
  system.mcu.setFaults(0);
  system.replug();
  // Long enough for a reset that is under way to end: a second one would be refused meanwhile.
  await system.pass(4000);
  examine(model, real);
  await deliver(model, real, await sign(model, real, { order: 'reset' }));
  await system.pass(4000);
  expect(model.stopped).toBe(false);
  // As control does every few seconds: only a write shows that a disk that has failed takes a stop again.
  await system.control.latch.mend();
  await system.ask(0, { request: 'disarm' });
  model.granted = false;
  await system.pass(700);
  await deliver(model, real, await sign(model, real, { order: 'stand' }));
  await system.pass(50);
  expect(system.control.control.safety.robotState).toBe('running');
  expect(system.mcu.state).toBe('active');
}
