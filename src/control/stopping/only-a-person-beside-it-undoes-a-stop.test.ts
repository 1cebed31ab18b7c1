import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Allowance } from '../../allowance.ts';
import { type CommandEnvelope, signCommand } from '../../keys/command.ts';
import { generateKeyPair } from '../../keys/key-pair.ts';
import { trustEntry, trustStoreOf } from '../../keys/trust-store.ts';
import type { Command, Request } from '../../messages/requests.ts';
import type { Status } from '../../messages/status.ts';
import { robotControlRig, standing } from '../control-rig.testing.ts';
import { requestHandler } from '../socket/requests.ts';
import { RowOutbox } from '../socket/row-outbox.ts';
import { EstopLatch } from './estop-latch.ts';
import { CONFIRMATION_WINDOW } from './reset-confirmation.ts';

/**
 * Model-based: everything that can come over control's ordinary socket, in any order, with frames, lost links, passing time
 * and restarts in between; the operator's key is in wrong hands, too.
 */

const keys = { operator: generateKeyPair(), release: generateKeyPair(), stranger: generateKeyPair() };
const trust = trustStoreOf([
  trustEntry(keys.operator.publicKey, 'operator', 'Anna'),
  trustEntry(keys.release.publicKey, 'release', 'build'),
]);

const folder = mkdtempSync(join(tmpdir(), 'h2o-model-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Answer = Record<string, unknown>;

/** A robot over several lives of control, on one disk. */
class Robot {
  readonly #path = join(folder, randomBytes(8).toString('hex'), 'estop');
  readonly #envelopes: CommandEnvelope[] = [];
  #counter = 0;
  #echo = 1;
  rig = this.#begin();
  #handlers = this.#connect();
  /** what somebody beside the robot said last: number of the stop and when */
  #confirmed: { readonly life: object; readonly at: number } | undefined;
  now = 0;
  /** times that it was set free */
  freed = 0;
  /** once at least without somebody beside it who had agreed */
  freedUnconfirmed = false;

  get state(): string {
    return this.rig.control.safety.robotState;
  }

  #begin() {
    const latch = new EstopLatch(this.#path);
    latch.load();
    const rig = robotControlRig({ latch, confirmed: true });
    rig.settle();
    rig.frames(120);
    return rig;
  }

  #connect() {
    const { rig } = this;
    const parts = {
      name: 'robot-1',
      control: rig.control,
      operator: rig.operator,
      outbox: new RowOutbox(),
      trust,
      counters: new Map<string, number>(),
      status: () => ({}) as Status,
      estopEcho$: rig.session.estopEcho$,
      allowance: new Allowance(1e6, () => 0),
      mcuSettled: async () => void rig.frame({ state: 'idle' }),
      audit: () => {},
      now: () => this.now,
    };
    return [requestHandler(parts), requestHandler(parts)] as const;
  }

  async restart(): Promise<void> {
    if (this.rig.latch.latched) await this.rig.latch.persisted();
    this.rig = this.#begin();
    this.#handlers = this.#connect();
  }

  pass(milliseconds: number): void {
    this.now += milliseconds;
    this.rig.pass(milliseconds);
  }

  ask(connection: number, request: Request): Promise<Answer> {
    // Whatever was said before was said of another stop.
    if (request.request === 'estop') this.#confirmed = undefined;
    return new Promise((resolve) => this.#handlers[connection % 2]?.handle(request, resolve));
  }

  async sign(connection: number, command: Command, key: keyof typeof keys, age: number): Promise<Answer> {
    const { challenge } = await this.ask(connection, { request: 'challenge' });
    this.pass(age);
    this.#counter += 1;
    const payload = { robot: 'robot-1', challenge: String(challenge), counter: this.#counter, command };
    const envelope = signCommand(payload, keys[key].privateKey);
    this.#envelopes.push(envelope);
    return await this.#judged(() => this.ask(connection, { request: 'command', envelope }));
  }

  /** Looks whether this was what led out of a stop, and whether it might. */
  async #judged(act: () => Promise<Answer>): Promise<Answer> {
    const wasStopped = this.state === 'estopped';
    const confirmed = this.isConfirmed;
    const answer = await act();
    if (wasStopped && this.state !== 'estopped') {
      this.freed += 1;
      this.freedUnconfirmed ||= !confirmed;
      this.#confirmed = undefined;
    }
    return answer;
  }

  async replay(connection: number, which: number): Promise<void> {
    const envelope = this.#envelopes[which % Math.max(1, this.#envelopes.length)];
    await this.#judged(() => this.ask(connection, { request: 'command', envelope }));
  }

  echo(newer: boolean): void {
    if (newer) this.#echo += 1;
    this.rig.echo(this.#echo);
  }

  confirm(): void {
    const { confirmation } = this.rig;
    if (confirmation.confirm(confirmation.stop) === undefined) {
      this.#confirmed = { life: this.rig, at: this.now };
    }
  }

  /** Somebody beside the robot has seen the latest stop of this life, a minute ago at most. */
  get isConfirmed(): boolean {
    const said = this.#confirmed;
    return said !== undefined && said.life === this.rig && this.now - said.at <= CONFIRMATION_WINDOW;
  }
}

type Action = (robot: Robot) => unknown;

const connection = fc.nat(1);
const key = fc.constantFrom<keyof typeof keys>('operator', 'operator', 'release', 'stranger');
const age = fc.constantFrom(0, 0, 9000, 11_000);
const mcuState = fc.constantFrom('idle' as const, 'idle' as const, 'active' as const, 'estopped' as const);

const remote: Array<fc.Arbitrary<Action>> = [
  fc.record({ connection, key, age }).map((a) => (robot) => robot.sign(a.connection, { name: 'reset' }, a.key, a.age)),
  fc.record({ connection, key, age }).map((a) => (robot) => robot.sign(a.connection, { name: 'reset' }, a.key, a.age)),
  fc
    .record({ connection, key, age })
    .map((a) => (robot) => robot.sign(a.connection, { name: 'mode', mode: standing, session: 'x' }, a.key, a.age)),
  fc
    .record({ connection, key })
    .map((a) => (robot) => robot.sign(a.connection, { name: 'mode', mode: { task: 'disarmed' } }, a.key, 0)),
  fc.record({ connection, which: fc.nat(20) }).map((a) => (robot) => robot.replay(a.connection, a.which)),
  connection.map((to) => (robot) => robot.ask(to, { request: 'disarm' })),
  connection.map((to) => (robot) => robot.ask(to, { request: 'estop', source: 'anyone' })),
  connection.map((to) => (robot) => robot.ask(to, { request: 'heartbeat', session: 'x', counter: 1 })),
  fc
    .record({ connection, envelope: fc.anything() })
    .map((a) => (robot) => robot.ask(a.connection, { request: 'command', envelope: a.envelope })),
  mcuState.map((state) => (robot) => void robot.rig.frame({ state })),
  fc.boolean().map((newer) => (robot) => robot.echo(newer)),
  fc.constantFrom(10, 5000, 61_000).map((milliseconds) => (robot) => robot.pass(milliseconds)),
  fc.boolean().map((open) => (robot) => robot.rig.control.linkChanged(open)),
  fc.constant((robot) => robot.restart()),
];

const stop: Action = (robot) => robot.ask(0, { request: 'estop', source: 'anna' });

describe('a robot that was stopped', () => {
  it('is not set going by anything that comes from elsewhere, in whatever order', async () => {
    const actions = fc.array(fc.oneof(...remote), { minLength: 1, maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(actions, actions, async (before, after) => {
        const robot = new Robot();
        for (const act of before) await act(robot);
        await stop(robot);
        const { kinds } = robot.rig.tap;
        const cleared = kinds.filter((kind) => kind === 'clear').length;
        const { rig } = robot;
        for (const act of after) {
          await act(robot);
          robot.rig.frame({ state: 'idle' });
          expect(robot.state).toBe('estopped');
          expect(robot.rig.latch.latched).toBe(true);
        }
        // Nor was the motor controller told to leave its latch, by this life of control or a later one.
        expect(kinds.filter((kind) => kind === 'clear').length).toBe(cleared);
        if (robot.rig !== rig) expect(robot.rig.tap.kinds).not.toContain('clear');
      }),
      { numRuns: 150 },
    );
  });

  it('is set free only by a signature while what somebody beside it said of the latest stop holds', async () => {
    const reset: Action = (robot) => robot.sign(0, { name: 'reset' }, 'operator', 0);
    const local: Array<fc.Arbitrary<Action>> = [
      fc.constant((robot) => robot.confirm()),
      fc.constant(reset),
      fc.constant((robot) => {
        robot.confirm();
        return reset(robot);
      }),
      // What must not be enough: too late, of an earlier stop, of an earlier life of control.
      fc
        .constantFrom<Action>(
          (robot) => robot.pass(CONFIRMATION_WINDOW + 1),
          stop,
          (robot) => robot.restart(),
        )
        .map((between) => async (robot) => {
          robot.confirm();
          await between(robot);
          return await reset(robot);
        }),
    ];
    const actions = fc.array(fc.oneof(...remote, ...local, ...local, ...local), { minLength: 1, maxLength: 25 });
    let freed = 0;
    await fc.assert(
      fc.asyncProperty(actions, async (list) => {
        const robot = new Robot();
        await stop(robot);
        for (const act of list) {
          await act(robot);
          if (robot.freedUnconfirmed) throw new Error('set free, and nobody beside it had agreed');
        }
        freed += robot.freed;
      }),
      { numRuns: 150 },
    );
    // Or the test would prove nothing.
    expect(freed).toBeGreaterThan(0);
  });
});
