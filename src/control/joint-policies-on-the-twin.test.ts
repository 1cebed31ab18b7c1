import { describe, expect, it, onTestFinished } from 'vitest';
import type { ArmedMode } from '../messages/mode.ts';
import { limitNames } from '../messages/states.ts';
import { createBalancer } from '../policy/balancer.ts';
import { JointAction } from '../policy/joint-action.ts';
import type { JointTerm } from '../policy/manifest-terms.ts';
import type { BodyReadings } from '../policy/observation.ts';
import { isWheel, jointNames } from '../robot/joints.ts';
import { loadRobot } from '../robot/robot.ts';
import type { TaskState } from '../robot/tasks/task.ts';
import { stanceOf } from '../safety/leg-guard.ts';
import { inFallback, reasons } from '../safety/supervisor.ts';
import { policies } from './control-loop.testing.ts';
import type { PolicyRunner } from './controllers/policy-runner.ts';
import { TwinLoop } from './twin-loop.testing.ts';

const robot = loadRobot('wheel-legged');
const stance = stanceOf(robot);
const { motion } = robot.legs;
if (!motion) throw new Error('the robot that ships lets policies move its legs');
const mode: ArmedMode = { task: 'standing-still', controller: 'joints' };

/** Wheels by the balancer's law, legs by what a test makes of it; decides at every frame. */
class JointPolicy implements PolicyRunner {
  readonly id = 'joints';
  readonly task = 'standing-still';
  readonly rate = 200;
  readonly hash = 0x1234n;
  readonly expires = Number.POSITIVE_INFINITY;
  readonly torqueScale = 1;
  readonly outOfRange = false;
  observation: readonly number[] = [];
  readonly joints = new JointAction(
    jointNames.map(
      (name): JointTerm => ({ name, kind: isWheel(name) ? 'torque' : 'position', scale: 1, offset: 0, clip: null }),
    ),
  );
  readonly bodies: BodyReadings[] = [];
  /** changes the action [rad × 4, N·m × 2] before it is given */
  fault: (action: number[], decision: number) => void = () => {};
  #decisions = 0;
  readonly #balancer = createBalancer(robot, 200);

  reset(): void {
    this.joints.reset();
    this.#balancer.reset();
  }

  remember() {
    return { vector: this.observation, outOfRange: false, joints: this.joints.remember() };
  }

  recall(): void {}

  async decide(state: TaskState, sentTorque: number, body: BodyReadings): Promise<number> {
    this.bodies.push(body);
    const total = this.#balancer.act(state, { targetVelocity: 0, sentTorque });
    const action = [...stance, total / 2, total / 2];
    this.fault(action, this.#decisions++);
    this.observation = action.slice(0, 4);
    return this.joints.decide(action) ? 0 : Number.NaN;
  }
}

async function standing(): Promise<{ one: TwinLoop; policy: JointPolicy }> {
  const policy = new JointPolicy();
  policies.set(policy.id, policy);
  const one = await TwinLoop.create({ robot, seed: 1 });
  onTestFinished(() => {
    one.sim.delete();
    policies.clear();
  });
  one.arm(mode);
  await one.runTurns(2);
  expect(one.loop.control.safety.robotState).toBe('running');
  return { one, policy };
}

/** Every command so far: in range, and no faster than the robot file lets it. */
function judge({ loop }: TwinLoop): void {
  if (!motion) return;
  const least = [motion.hipLeast, motion.kneeLeast, motion.hipLeast, motion.kneeLeast];
  const most = [motion.hipMost, motion.kneeMost, motion.hipMost, motion.kneeMost];
  let before = stance;
  for (const { command, dtUs } of loop.ticks) {
    const step = motion.speed * Math.min(0.02, dtUs / 1e6) + 1e-9;
    for (const joint of [0, 1, 2, 3] as const) {
      const now = command.legPosition[joint];
      if (!(now >= (least[joint] ?? 0) && now <= (most[joint] ?? 0)))
        expect.unreachable(`joint ${joint} at ${now} rad`);
      if (command.requestedState === 'active' && !(Math.abs(now - before[joint]) <= step)) {
        expect.unreachable(`joint ${joint} moved by ${now - before[joint]} rad`);
      }
    }
    for (const torque of command.wheelTorque) expect(Math.abs(torque)).toBeLessThanOrEqual(robot.limits.wheelTorque);
    before = command.requestedState === 'active' ? command.legPosition : stance;
  }
}

describe('a policy of joints on the twin', () => {
  it('stands, bends its knees and rises again without one condition, and rows say what each joint did', async () => {
    const { one, policy } = await standing();
    const period = 400;
    policy.fault = (action, decision) => {
      // Thigh and shank turn against each other, so that the body stays over the axle.
      const bend = 0.12 * Math.sin((2 * Math.PI * decision) / period);
      for (const side of [0, 2]) {
        action[side] = (action[side] ?? 0) + bend;
        action[side + 1] = (action[side + 1] ?? 0) - 1.6 * bend;
      }
    };
    await one.runTurns(6);
    expect([...one.tripped]).toEqual([]);
    expect(one.sim.meter.falls).toBe(0);
    judge(one);
    const rows = one.loop.rows.slice(-800);
    const hips = rows.map(({ joints = [] }) => joints[12] ?? Number.NaN);
    expect(Math.max(...hips) - Math.min(...hips)).toBeGreaterThan(0.15);
    for (const { joints = [], requestedTorque, commandedTorque, controller, limits } of rows) {
      expect(controller).toBe('policy');
      expect(joints).toHaveLength(18);
      expect((joints[4] ?? 0) + (joints[5] ?? 0)).toBeCloseTo(requestedTorque, 9);
      expect((joints[10] ?? 0) + (joints[11] ?? 0)).toBeCloseTo(commandedTorque, 9);
      if (limits === 0) expect(joints.slice(0, 4)).toEqual(joints.slice(6, 10));
    }
    // It saw what was there: legs at rest, gravity downward.
    const [w] = policy.bodies.map(({ attitude }) => attitude.w).slice(-1);
    expect(w).toBeCloseTo(1, 1);
  });

  it.each([
    ['to and fro at once', (decision: number) => (decision % 2 ? 10 : -10)],
    ['to one end', () => 1e30],
    ['to the other end', () => -1e30],
    ['to and fro, slowly', (decision: number) => (decision % 200 < 100 ? 10 : -10)],
  ])('that throws its legs %s is held within the limits, which are named', async (_how, thrown) => {
    const { one, policy } = await standing();
    policy.fault = (action, decision) => action.fill(thrown(decision), 0, 4);
    await one.runTurns(3);
    judge(one);
    const named = new Set(one.loop.rows.flatMap(({ limits }) => limitNames(limits)));
    expect(named.has('leg-position')).toBe(true);
    // Whatever it does with its legs, the law of its wheels keeps it up; where the table doubts it, the balancer does.
    expect(one.sim.meter.falls).toBe(0);
    expect(one.loop.control.safety.robotState).toBe('running');
    expect([...one.tripped.keys()].filter((id) => id !== 'wheel-slip')).toEqual([]);
  });

  const bend: JointPolicy['fault'] = (action) => {
    for (const joint of [0, 1, 2, 3]) action[joint] = (action[joint] ?? 0) + (joint % 2 ? -0.2 : 0.12);
  };

  it('is braked, let go and stopped as any other, with the legs wherever it has put them', async () => {
    const { one, policy } = await standing();
    policy.fault = bend;
    await one.runTurns(1.5);
    const bent = one.loop.ticks.at(-1)?.command.legPosition ?? stance;
    const from = one.loop.ticks.length;
    await one.loop.control.shutDown(async () => {});
    await one.runTurns(0.3);
    expect(one.loop.control.safety.robotState).toBe('braking');
    // The motor controller holds the legs where the last command that drove has put them.
    const held = one.loop.ticks.at(-1)?.sensors.legPosition ?? stance;
    for (const joint of [0, 1, 2, 3] as const) expect(Math.abs(held[joint] - bent[joint])).toBeLessThan(0.12);
    await one.runTurns(1.2);
    expect(one.loop.control.safety.robotState).toBe('limp');
    void one.loop.control.estop('a test');
    await one.runTurns(0.1);
    expect(one.sim.mcu.state).toBe('estopped');
    judge(one);
    for (const { command, controller } of one.loop.ticks.slice(from + 1)) {
      expect(controller).not.toBe('policy');
      expect(command.requestedState).not.toBe('active');
      expect(command.wheelTorque).toEqual([0, 0]);
    }
  });

  it('that answers NaN for one joint is out, and the balancer stands with the legs back in their stance', async () => {
    const { one, policy } = await standing();
    policy.fault = bend;
    await one.runTurns(1.5);
    const bent = one.loop.ticks.at(-1)?.command.legPosition ?? stance;
    expect(Math.abs(bent[1] - stance[1])).toBeGreaterThan(0.1);
    const from = one.loop.ticks.length;
    policy.fault = (action) => {
      action[3] = Number.NaN;
    };
    await one.runTurns(3);
    judge(one);
    expect(reasons(one.loop.control.safety.active)).toContain('policy-not-finite');
    expect(inFallback(one.loop.control.safety)).toBe(true);
    expect(one.loop.control.safety.robotState).toBe('running');
    expect(one.sim.meter.falls).toBe(0);
    expect(one.loop.ticks.at(-1)?.command.legPosition).toEqual(stance);
    const after = one.loop.ticks.slice(from + 1);
    expect(after.every(({ controller }) => controller === 'balancer')).toBe(true);
    // Not at once, but at the speed of the robot file.
    const onTheWay = after.filter(({ command }) => command.legPosition[1] !== stance[1]).length;
    expect(onTheWay).toBeGreaterThan(Math.abs(bent[1] - stance[1]) / motion.speed / 0.005 - 2);
  });
});
