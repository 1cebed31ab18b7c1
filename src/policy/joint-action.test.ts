import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JointAction } from './joint-action.ts';
import { actionSchema, jointTermsOf } from './manifest-terms.ts';

const terms = (list: object[]) => jointTermsOf(actionSchema.parse({ terms: list })) ?? [];
const left = { name: 'wheelLeft', kind: 'velocity', scale: 10, damping: 0.5 };
const right = { name: 'wheelRight', kind: 'torque', scale: -2, offset: 0.25, clip: [-1, 1] };
const knee = { name: 'kneeRight', kind: 'position', scale: 0.5, offset: -1.5, clip: [-2, -1.25] };

describe('an action of joints', () => {
  it('is a torque of each wheel and a set-point of each leg that it commands', () => {
    const action = new JointAction(terms([knee, right, left]));
    expect(action.decide([0.5, 0.25, 0.2])).toBe(true);
    const request = action.request([1, 7]);
    // Left: 0.5 · (10 · 0.2 − 1); right: 0.25 − 2 · 0.25, whatever its speed.
    expect(request.total).toBeCloseTo(0.5 - 0.25, 12);
    expect(request.steering).toBeCloseTo((0.5 + 0.25) / 2, 12);
    expect(request.legs).toEqual([undefined, undefined, undefined, -1.25]);
    expect(action.clipped).toBe(false);
    expect([...action.previousActions]).toEqual([0, 0, 0, 0.5, 0.2, 0.25]);
  });

  it('is held until the next one, while the torque of a velocity follows the wheel', () => {
    const action = new JointAction(terms([left, { ...left, name: 'wheelRight' }]));
    action.decide([1, 1]);
    expect(action.request([0, 0]).total).toBe(10);
    expect(action.request([10, 10]).total).toBe(0);
    expect(action.request([20, 20]).total).toBe(-10);
  });

  it('is clipped where the manifest says so, and says that it was', () => {
    const action = new JointAction(terms([knee, right, left]));
    action.decide([9, 9, 0]);
    expect(action.clipped).toBe(true);
    expect(action.request([0, 0]).legs[3]).toBe(-1.25);
    expect(action.request([0, 0]).total).toBe(-1);
    action.decide([0, 0, 0]);
    expect(action.clipped).toBe(false);
  });

  it('of which one number is not finite is not taken, and the one before stays', () => {
    fc.assert(
      fc.property(fc.array(fc.double(), { minLength: 3, maxLength: 3 }), (values) => {
        const action = new JointAction(terms([knee, right, left]));
        action.decide([0.1, 0.2, 0.3]);
        const before = action.request([1, 1]);
        const taken = action.decide(values);
        expect(taken).toBe(values.every(Number.isFinite));
        if (!taken) expect(action.request([1, 1])).toEqual(before);
      }),
    );
    const action = new JointAction(terms([right, left]));
    expect(action.decide([1])).toBe(false);
  });

  it('comes back from what is remembered of it, and is forgotten when a task starts', () => {
    const action = new JointAction(terms([knee, right, left]));
    action.decide([0.1, 0.2, 0.3]);
    const other = new JointAction(terms([knee, right, left]));
    other.decide(action.remember());
    expect(other.request([1, 2])).toEqual(action.request([1, 2]));
    expect(other.previousActions).toEqual(action.previousActions);
    other.reset();
    expect([...other.previousActions]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});
