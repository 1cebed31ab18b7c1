import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Allowance } from '../../allowance.ts';
import { robotControlRig, standing } from '../../control/control-rig.testing.ts';
import { requestHandler } from '../../control/socket/requests.ts';
import { RowOutbox } from '../../control/socket/row-outbox.ts';
import { signCommand } from '../../keys/command.ts';
import { generateKeyPair } from '../../keys/key-pair.ts';
import { trustEntry, trustStoreOf } from '../../keys/trust-store.ts';
import type { Exploration } from '../../messages/exploration.ts';
import type { Command } from '../../messages/requests.ts';
import type { Status } from '../../messages/status.ts';
import { activeConditions } from '../../safety/failsafe-table.ts';
import { EpisodeKeeper, type Seen, type Step } from './episode-keeper.ts';

const exploration: Exploration = {
  seed: 1,
  episode: 0,
  wander: 0.3,
  wanderTime: 0.2,
  white: 0.2,
  mostTorque: 1,
  setPoint: 0.3,
  setPointTime: 5,
};

const operator = generateKeyPair();
const trust = trustStoreOf([trustEntry(operator.publicKey, 'operator', 'Anna')]);

/** Frames between two looks: a body that does not move would soon be found out by the failsafe table. */
const FEW = 5;

/** What the motor controller does in each state of the robot. */
const MCU = { disarmed: 'idle', running: 'active', braking: 'braking', limp: 'limp', estopped: 'idle' } as const;

/** A keeper and the real robot control, with the door through which orders come; only body and motor controller are played. */
class Site {
  readonly rig = robotControlRig();
  readonly keeper = new EpisodeKeeper(standing, exploration);
  /** modes with exploration that control has accepted */
  starts = 0;
  /** somebody else has stopped the robot, or given it another mode */
  interfered = false;
  ended: Extract<Step, { do: 'end' }> | undefined;
  #pitch = 1;
  #counter = 0;
  readonly #handler;

  constructor() {
    const { rig } = this;
    this.#handler = requestHandler({
      name: 'robot-1',
      control: rig.control,
      operator: rig.operator,
      outbox: new RowOutbox(),
      trust,
      counters: new Map(),
      status: () => ({}) as Status,
      estopEcho$: rig.session.estopEcho$,
      allowance: new Allowance(1e9, () => 0),
      mcuSettled: async () => this.frames(1),
      audit: () => {},
      now: () => 0,
    });
    rig.settle();
    this.frames(3);
    // What was before the first look is no business of the collection's.
    this.look();
  }

  get state() {
    return this.rig.control.safety.robotState;
  }

  frames(count: number): void {
    const lean = Math.abs(this.#pitch);
    const estimate = { pitch: this.#pitch, tilt: lean };
    for (let frame = 0; frame < count; frame++) this.rig.frame({ state: MCU[this.state] }, { estimate });
  }

  seen(): Seen {
    const { safety, orders } = this.rig.control;
    const { latched, source } = this.rig.latch;
    return {
      pid: 1,
      state: safety.robotState,
      mode: safety.mode,
      reasons: activeConditions(safety.active).map(({ id, action, says, clears, remedy }) => ({
        id,
        action,
        says,
        clears,
        remedy,
      })),
      estop: { latched, source, onDisk: false, problem: '', confirmation: 'not-wanted' },
      counters: { orders },
      estimate: { x: 0, v: 0, pitch: this.#pitch, pitchRate: 0, tilt: Math.abs(this.#pitch), torque: 0, battery: 24 },
      mcu: { state: MCU[safety.robotState] },
    };
  }

  /** One look of the collection; what happens in between comes between the look and what is done about it. */
  look(between: () => void = () => {}): void {
    if (this.ended) return;
    const step = this.keeper.look(this.seen());
    between();
    this.#carryOut(step);
  }

  fall(): void {
    this.#pitch = 1;
    this.frames(30);
  }

  /** Somebody else's order. */
  order(command: Command): boolean {
    let challenge = '';
    this.#handler.handle({ request: 'challenge' }, (body) => {
      challenge = String(body.challenge);
    });
    this.#counter += 1;
    const envelope = signCommand({ robot: 'robot-1', challenge, counter: this.#counter, command }, operator.privateKey);
    const { control } = this.rig;
    const before = control.safety;
    this.#handler.handle({ request: 'command', envelope }, () => {});
    return control.safety !== before;
  }

  #carryOut(step: Step): void {
    if (step.do === 'end') this.ended = step;
    else if (step.do === 'lift') {
      this.#pitch = 0;
      this.keeper.lifted();
    } else if (step.do === 'disarm') {
      this.rig.control.disarm();
      this.keeper.disarmed();
    } else if (step.do === 'arm') {
      if (this.order({ name: 'mode', mode: step.mode, session: 'collecting', orders: step.orders })) {
        this.starts += 1;
        this.keeper.armed();
      } else if (this.keeper.refused('not-armed: state').do === 'end')
        this.ended = { do: 'end', ended: 'refused', why: '' };
    }
  }
}

/** What may come between: falls, and other people. */
const EVENTS = {
  nothing: () => {},
  fall: (site: Site) => site.fall(),
  estop: (site: Site) => {
    void site.rig.control.estop('somebody');
    site.interfered = true;
  },
  disarm: (site: Site) => {
    site.rig.control.disarm();
    site.interfered = true;
  },
  mode: (site: Site) => {
    if (site.order({ name: 'mode', mode: standing })) site.interfered = true;
  },
} as const;
const EVENT_NAMES = Object.keys(EVENTS) as Array<keyof typeof EVENTS>;

describe('a collection', () => {
  it('goes on after each fall, with other noise, and is lifted each time', () => {
    const site = new Site();
    for (let fall = 0; fall < 5; fall++) {
      for (let look = 0; look < 40 && site.state !== 'running'; look++) {
        site.look();
        site.frames(FEW);
      }
      expect(site.state).toBe('running');
      const { mode } = site.rig.control.safety;
      expect(mode).toMatchObject({ ...standing, exploration: { seed: 1, episode: fall } });
      site.look();
      site.fall();
    }
    site.look();
    expect(site.ended).toBeUndefined();
    expect(site.keeper).toMatchObject({ episodes: 5, falls: 5, lifts: 5 });
  });

  it('ends when anybody else stops the robot or gives it another mode, and never starts it after that', () => {
    const ends = new Set<string>();
    let starts = 0;
    const happening = fc.record({
      event: fc.oneof(
        { weight: 30, arbitrary: fc.constant('nothing' as const) },
        { weight: 3, arbitrary: fc.constant('fall' as const) },
        { weight: 1, arbitrary: fc.constantFrom(...EVENT_NAMES) },
      ),
      /** before the look, or between the look and what is done about it */
      between: fc.boolean(),
      frames: fc.integer({ min: 1, max: FEW }),
    });
    fc.assert(
      fc.property(fc.array(happening, { minLength: 10, maxLength: 60 }), (happenings) => {
        const site = new Site();
        for (const { event, between, frames } of happenings) {
          const interfered = site.interfered;
          const before = site.starts;
          if (!between) EVENTS[event](site);
          site.look(() => between && EVENTS[event](site));
          // The look at which it happened may be too early to know; the start that it decided on is refused all the same.
          if (site.interfered) expect(site.starts).toBe(before);
          if (interfered) expect(site.ended).toBeDefined();
          site.frames(frames);
        }
        starts += site.starts;
        if (site.ended) ends.add(site.ended.ended);
      }),
      { numRuns: 100 },
    );
    expect(starts).toBeGreaterThan(20);
    expect([...ends]).toEqual(expect.arrayContaining(['estop', 'stopped']));
  });

  it('ends for what is no fall, for a full disk, for another control and for a latched motor controller', () => {
    const running = () => {
      const site = new Site();
      for (let look = 0; look < 40 && site.state !== 'running'; look++) {
        site.look();
        site.frames(10);
      }
      expect(site.state).toBe('running');
      return site;
    };
    const reason = (id: string, action: 'warn' | 'brake') => ({ id, action, says: '', clears: '', remedy: '' });
    const { keeper, ...site } = running();
    expect(site.ended).toBeUndefined();
    const now = running();
    const ended = (over: Partial<Seen>) => {
      const one = running();
      return one.keeper.look({ ...one.seen(), ...over });
    };
    expect(now.keeper.look(now.seen())).toEqual({ do: 'wait' });
    expect(ended({ state: 'braking', reasons: [reason('battery-collapse', 'brake')] })).toMatchObject({
      ended: 'fault',
    });
    expect(ended({ reasons: [reason('disk-full', 'warn')] })).toMatchObject({ ended: 'disk-full' });
    expect(ended({ pid: 2 })).toMatchObject({ ended: 'control-lost' });
    expect(keeper.episodes).toBe(1);

    const fresh = new Site();
    let step: Step = { do: 'wait' };
    for (let look = 0; look < 60 && step.do !== 'end'; look++)
      step = fresh.keeper.look({ ...fresh.seen(), mcu: { state: 'limp' } });
    expect(step).toMatchObject({ do: 'end', ended: 'fault' });
  });
});
