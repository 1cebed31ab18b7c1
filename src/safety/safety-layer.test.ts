import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONTROLLER_KINDS } from '../messages/row.ts';
import { loadRobot } from '../robot/robot.ts';
import { robotForTask } from '../robot/task-limits.ts';
import { Blend } from './blend.ts';
import { anyFacts, anyNumber } from './facts.testing.ts';
import { NO_FACTS } from './facts.ts';
import { CONDITION_IDS, FAILSAFE_TABLE } from './failsafe-table.ts';
import { guard, REQUESTED_STATE } from './guard.ts';
import { disarm, enterMode, estop, INITIAL_SAFETY_STATE, reset, superviseFrame } from './supervisor.ts';
import { whatIf } from './what-if.ts';

const robot = loadRobot('wheel-legged');
const standing = { task: 'standing-still', controller: 'balancer' } as const;

const frame = fc.record({
  event: fc.constantFrom('frame', 'frame', 'frame', 'frame', 'mode', 'disarm', 'estop', 'reset'),
  facts: anyFacts,
  request: fc.record({ total: anyNumber, steering: anyNumber }),
  controller: fc.constantFrom(...CONTROLLER_KINDS),
  policyHash: fc.constantFrom(0n, 1n),
  task: fc.constantFrom('standing-still', 'moving-straight'),
});

describe('the safety layer as a whole: table, blend, guard', () => {
  it('sends finite, limited, slew-bounded torque, none unless running, and leaves a stop only by reset', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 60 }), (history) => {
        const blend = new Blend(robot);
        let state = INITIAL_SAFETY_STATE;
        let previous: readonly [number, number] = [0, 0];
        for (const { event, facts, request, task, ...who } of history) {
          const before = state.robotState;
          if (event === 'mode') state = enterMode(state, standing);
          if (event === 'disarm') state = disarm(state);
          if (event === 'estop') state = estop(state);
          if (event === 'reset') state = reset(state);
          if (before === 'estopped' && event !== 'reset') expect(state.robotState).toBe('estopped');
          if (event === 'estop') expect(state.robotState).toBe('estopped');
          if (event !== 'frame') continue;
          const ofTask = robotForTask(robot, task);
          state = superviseFrame(state, facts, ofTask);
          if (before === 'estopped') expect(state.robotState).toBe('estopped');
          const running = state.robotState === 'running';
          const dt = facts.dtUs / 1e6;
          const blended = blend.apply({ ...who, request, previous, running, dt });
          const { command } = guard(
            { robotState: state.robotState, request: blended.request, previous, dt, session: 1, answers: 1 },
            ofTask,
          );
          expect(command.requestedState).toBe(REQUESTED_STATE[state.robotState]);
          const room = dt > 0 ? robot.limits.wheelTorqueSlew * Math.min(dt, 0.02) : 0;
          for (const wheel of [0, 1] as const) {
            const torque = command.wheelTorque[wheel];
            expect(Number.isFinite(torque)).toBe(true);
            expect(Math.abs(torque)).toBeLessThanOrEqual(robot.limits.wheelTorque);
            expect(running ? Math.abs(torque - previous[wheel]) : 0).toBeLessThanOrEqual(room + 1e-12);
            if (!running) expect(torque).toBe(0);
          }
          previous = command.wheelTorque;
        }
      }),
      { numRuns: 300 },
    );
  });

  it('never takes what it does not know for safe: with no facts at all nothing may drive', () => {
    const blind = superviseFrame(enterMode(INITIAL_SAFETY_STATE, standing), NO_FACTS, robot);
    expect(['braking', 'limp', 'estopped']).toContain(blind.robotState);
  });
});

describe('what would happen if', () => {
  const ENDS = { warn: 'running', fallback: 'running', brake: 'limp', limp: 'limp', estop: 'estopped' } as const;

  it.each(FAILSAFE_TABLE.map((row) => [row.id, row.action, row.debounce] as const))(
    '%s held on: %s, not before its debounce of %i frames',
    (id, action, debounce) => {
      const steps = whatIf({ robot, mode: standing, conditions: [id] });
      expect(steps.at(-1)).toMatchObject({ state: ENDS[action] });
      expect(steps.at(-1)?.reasons).toContain(id);
      expect(steps.find(({ reasons }) => reasons.includes(id))?.frame).toBe(debounce);
      if (action === 'fallback') expect(steps.at(-1)?.controller).toBe('balancer, at zero velocity');
      if (action === 'warn') expect(steps.at(-1)?.controller).toBe('its own');
    },
  );

  it('a condition that lasts one frame less than its debounce does nothing, and a warning goes with its cause', () => {
    const short = whatIf({ robot, mode: standing, conditions: ['battery-empty'], frames: 199 });
    expect(short.every(({ reasons }) => !reasons.includes('battery-empty'))).toBe(true);
    const gone = whatIf({ robot, mode: standing, conditions: ['battery-low'], frames: 150 });
    expect(gone.map(({ reasons }) => reasons)).toEqual([[], ['battery-low'], []]);
  });

  it('all conditions at once end in the highest of all: torque off', () => {
    expect(whatIf({ robot, mode: standing, conditions: CONDITION_IDS }).at(-1)).toMatchObject({
      state: 'estopped',
      command: 'idle',
    });
  });
});
