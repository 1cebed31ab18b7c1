import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Mode } from '../messages/mode.ts';
import { ACTIONS, type Action } from '../messages/states.ts';
import { loadRobot } from '../robot/robot.ts';
import { type Condition, recoveryOf } from './condition.ts';
import { factsWhen } from './examples.ts';
import { anyFacts, goodFacts } from './facts.testing.ts';
import type { Facts } from './facts.ts';
import { type ConditionId, conditionBit, FAILSAFE_TABLE } from './failsafe-table.ts';
import {
  disarm,
  enterMode,
  estop,
  highestAction,
  INITIAL_SAFETY_STATE,
  inFallback,
  reset,
  type SafetyState,
  superviseFrame,
} from './supervisor.ts';

const robot = loadRobot('wheel-legged');
const standing: Mode = { task: 'standing-still', controller: 'balancer' };
const running = enterMode(INITIAL_SAFETY_STATE, standing);

const factsFor = (...ids: ConditionId[]): Facts => factsWhen(ids, robot);

/** The state after the facts have been seen for so many frames. */
function seen(state: SafetyState, facts: Facts, frames = 250): SafetyState {
  let now = state;
  for (let frame = 0; frame < frames; frame++) {
    now = superviseFrame(now, { ...facts, mcuTimeUs: facts.mcuTimeUs + 5000 * frame }, robot);
  }
  return now;
}

/** Where the table says that a running robot ends, some frames after a condition of that action. */
const ENDS = { warn: 'running', fallback: 'running', brake: 'braking', limp: 'limp', estop: 'estopped' } as const;

const ids = FAILSAFE_TABLE.map((row) => row.id);

describe('every row of the failsafe table', () => {
  it.each(ids)('%s: does nothing while it does not hold', (id) => {
    expect(seen(running, goodFacts).active & conditionBit(id)).toBe(0n);
  });

  it.each(FAILSAFE_TABLE.map((row) => [row.id, row.action, row.debounce] as const))(
    '%s: ends in what its action "%s" says, after %i frames and not before',
    (id, action, debounce) => {
      const before = seen(running, factsFor(id), debounce - 1);
      expect(before.active & conditionBit(id)).toBe(0n);
      const tripped = seen(running, factsFor(id), debounce);
      expect(tripped.active & conditionBit(id)).not.toBe(0n);
      expect(tripped.robotState).toBe(ENDS[action]);
      expect(inFallback(tripped)).toBe(action === 'fallback');
    },
  );

  it.each(FAILSAFE_TABLE.map((row: Condition) => [row.id as ConditionId, row.clears, recoveryOf(row)] as const))(
    '%s: clears when it says (%s, after %i frames)',
    (id, clears, recovery) => {
      const tripped = seen(running, factsFor(id));
      const before = seen(tripped, goodFacts, recovery - 1);
      expect(before.active & conditionBit(id)).not.toBe(0n);
      const gone = seen(tripped, goodFacts, recovery);
      const isActive = (state: SafetyState) => (state.active & conditionBit(id)) !== 0n;
      expect(isActive(gone)).toBe(clears !== 'itself');
      expect(isActive(seen(disarm(gone), goodFacts, 1))).toBe(clears === 'reset');
      expect(isActive(seen(reset(gone), goodFacts, recovery))).toBe(false);
      // Nothing outlives its cause and what clears it, whatever the state was when that came.
      for (const cleared of [reset(tripped), reset(estop(tripped))]) {
        expect(isActive(seen(cleared, goodFacts, recovery))).toBe(false);
      }
    },
  );

  it('one that comes and goes is told once, and not on every frame', () => {
    let state = running;
    let changes = 0;
    for (let frame = 0; frame < 1000; frame++) {
      const next = seen(state, frame % 7 === 0 ? factsFor('frame-late') : goodFacts, 1);
      if (next.active !== state.active) changes += 1;
      state = next;
    }
    expect(changes).toBe(1);
  });

  it.each(ids)('%s: NaN where it measures is never taken for safe', (id) => {
    const dangerous: ConditionId[] = ['tilt', 'wheel-overspeed', 'attitude-implausible'];
    if (!dangerous.includes(id)) return;
    const nan = { ...goodFacts, tilt: Number.NaN, wheelSpeed: Number.NaN, attitudeNorm: Number.NaN };
    expect(seen(running, nan).active & conditionBit(id)).not.toBe(0n);
  });
});

describe('simultaneous conditions', () => {
  const rank = (action: Action | undefined) => (action === undefined ? -1 : ACTIONS.indexOf(action));

  it('the highest action wins, for every pair', () => {
    for (const one of FAILSAFE_TABLE) {
      for (const other of FAILSAFE_TABLE) {
        const both = seen(running, factsFor(one.id, other.id));
        const wanted = Math.max(rank(one.action), rank(other.action));
        expect(rank(highestAction(both.active)), `${one.id} and ${other.id}`).toBeGreaterThanOrEqual(wanted);
        expect(both.active & conditionBit(one.id), `${one.id} beside ${other.id}`).not.toBe(0n);
      }
    }
  });
});

describe('a state that was changed by hand', () => {
  it('is examined only by a frame', () => {
    const shaken = seen(running, goodFacts, 1);
    expect(shaken.examined).toBe(true);
    for (const state of [INITIAL_SAFETY_STATE, disarm(shaken), reset(estop(shaken))]) {
      expect(state.examined).toBe(false);
      expect(seen(state, goodFacts, 1).examined).toBe(true);
    }
  });

  it('stays estopped and examined when it is disarmed', () => {
    expect(disarm(estop(seen(running, goodFacts, 1)))).toMatchObject({ robotState: 'estopped', examined: true });
  });
});

describe('braking', () => {
  const braking = seen(running, factsFor('sensor-gap'), 1);

  it('becomes limp after the brake time, by the MCU clock', () => {
    const at = (seconds: number) =>
      superviseFrame(braking, { ...goodFacts, mcuTimeUs: braking.brakingSince + seconds * 1e6 }, robot).robotState;
    expect(at(robot.timing.brakeTime - 0.01)).toBe('braking');
    expect(at(robot.timing.brakeTime)).toBe('limp');
  });

  it('is not prolonged by a clock that goes backwards', () => {
    const back = { ...goodFacts, mcuTimeUs: braking.brakingSince - 1 };
    expect(superviseFrame(braking, back, robot).robotState).toBe('limp');
  });
});

/** What may happen to a robot between two looks at it. */
const anyEvent = fc.oneof(
  anyFacts.map((facts) => ({ name: 'frame', apply: (state: SafetyState) => superviseFrame(state, facts, robot) })),
  fc.constant({ name: 'disarm', apply: disarm }),
  fc.constant({ name: 'estop', apply: estop }),
  fc.constant({ name: 'mode', apply: (state: SafetyState) => enterMode(state, standing) }),
  fc.constant({ name: 'reset', apply: reset }),
);

describe('any history', () => {
  it('leaves estopped only by reset', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 40 }), (events) => {
        let state = INITIAL_SAFETY_STATE;
        for (const { name, apply } of events) {
          const next = apply(state);
          if (state.robotState === 'estopped' && name !== 'reset') expect(next.robotState).toBe('estopped');
          state = next;
        }
      }),
    );
  });

  it('begins to move only by a mode, and only from disarmed', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 40 }), (events) => {
        let state = INITIAL_SAFETY_STATE;
        for (const { name, apply } of events) {
          const next = apply(state);
          if (next.robotState === 'running' && state.robotState !== 'running') {
            expect(name).toBe('mode');
            expect(state.robotState).toBe('disarmed');
          }
          state = next;
        }
      }),
    );
  });

  it('never goes back up the ladder without a person: braking, limp, estopped', () => {
    const rung = { disarmed: 0, running: 0, braking: 1, limp: 2, estopped: 3 };
    fc.assert(
      fc.property(fc.array(anyFacts, { maxLength: 40 }), (history) => {
        let state = running;
        for (const facts of history) {
          const next = superviseFrame(state, facts, robot);
          expect(rung[next.robotState]).toBeGreaterThanOrEqual(rung[state.robotState]);
          state = next;
        }
      }),
    );
  });
});
