import { lastValueFrom, of, Subject, toArray } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { loadRobot } from '../robot/robot.ts';
import { type RobotControlRig, robotControlRig } from './control-rig.testing.ts';
import { Controllers } from './controllers/controllers.ts';
import { FakePolicy } from './controllers/policy-runner.testing.ts';
import { infer } from './infer.ts';
import type { Decided } from './tick.ts';
import { observed } from './ticks.testing.ts';

const robot = loadRobot('wheel-legged');

describe('infer', () => {
  it('lets a frame through in the same turn when no policy has to run', () => {
    new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(({ cold, expectObservable }) => {
      const rig = robotControlRig();
      const ticks$ = cold('a-(bc)|', {
        a: observed({ sequence: 1 }),
        b: observed({ sequence: 2 }),
        c: observed({ sequence: 3 }),
      });
      const out = (sequence: number) => expect.objectContaining({ sequence, controller: 'none' });
      expectObservable(ticks$.pipe(infer(rig.controllers, rig.control))).toBe('a-(bc)|', {
        a: out(1),
        b: out(2),
        c: out(3),
      });
    });
  });

  it('adds to the tick and changes nothing of it', async () => {
    const rig = robotControlRig();
    const tick = observed({ sequence: 5 });
    const copy = structuredClone(tick);
    const [after] = await lastValueFrom(of(tick).pipe(infer(rig.controllers, rig.control), toArray()));
    expect(tick).toEqual(copy);
    expect(after).toMatchObject(copy);
  });

  it('keeps the order while the policy thinks, and asks it one frame after the other', async () => {
    const clock = { now: 0n };
    const policy = new FakePolicy(clock);
    const answers: Array<(action: number) => void> = [];
    policy.decide = () => new Promise((resolve) => answers.push(resolve));
    const controllers = new Controllers(robot, new Map([['fake', policy]]), () => clock.now);
    const rig: RobotControlRig = robotControlRig({ controllers });
    rig.settle();
    expect(rig.enter({ task: 'standing-still', controller: 'fake' })).toBeUndefined();
    const ticks$ = new Subject<Parameters<typeof controllers.decide>[0]>();
    const out: Decided[] = [];
    ticks$.pipe(infer(controllers, rig.control)).subscribe((tick) => out.push(tick));
    for (const sequence of [1, 2, 3]) ticks$.next(observed({ sequence }));
    for (const action of [0.1, 0.2, 0.3]) {
      expect(answers).toHaveLength(out.length + 1);
      answers.at(-1)?.(action);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(out.map((tick) => [tick.sequence, tick.request.total])).toEqual([
      [1, expect.closeTo(0.3, 9)],
      [2, expect.closeTo(0.6, 9)],
      [3, expect.closeTo(0.9, 9)],
    ]);
  });
});
