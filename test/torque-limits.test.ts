import { expect, it } from 'vitest';
import type { Row } from '../src/messages/row.ts';
import { limitBit } from '../src/messages/states.ts';
import { MOVE_BY_POLICY, SHIPPED_POLICIES, STAND_BY_POLICY, TestRobot } from './harness.ts';

/** Rows hold single precision, the wire thousandths of N·m for each of the two wheels. */
const SINGLE = 1e-5;
const WIRE = 2 * 0.0005 + SINGLE;

const SHIPPED = { wheelTorque: 1.5, slew: 150 };
/** So narrow that they act on a robot that is pushed. */
const NARROW = { wheelTorque: 0.5, slew: 15 };

const withLimits =
  ({ wheelTorque, slew }: typeof NARROW) =>
  (text: string): string => {
    const changed = text
      .replace(/(wheelTorque: \{ value: )1\.5,/, `$1${wheelTorque},`)
      .replace(/(wheelTorqueSlew: \{ value: )150,/, `$1${slew},`);
    if (!changed.includes(`wheelTorqueSlew: { value: ${slew},`))
      throw new Error('the robot file states limits in another way');
    return changed;
  };

it.each([
  { name: 'that ships', limits: SHIPPED },
  { name: 'with narrow limits', limits: NARROW },
])(
  'torque stays within the limits of the robot file $name, and what they change shows in the rows',
  async ({ limits }) => {
    const robot = await TestRobot.start({
      // Whether this machine is fast enough, and whether somebody watches, are not the questions here.
      config: { policies: [SHIPPED_POLICIES], policyLatencyBudget: 10, operatorHeartbeat: 0 },
      robotFile: withLimits(limits),
    });
    const rows = await robot.collectRows();
    await robot.stand(STAND_BY_POLICY);
    await robot.simulator.request('push', { newtons: 50, seconds: 0.1 });
    await robot.simulator.wait(2);
    await robot.arm(MOVE_BY_POLICY);
    await robot.simulator.wait(2);
    await robot.control.estop('test');
    await robot.truth('torque off', ({ state }) => state === 'estopped');
    await robot.simulator.wait(0.5);
    await robot.reset();
    await robot.lift();
    await robot.stand(STAND_BY_POLICY);
    await robot.control.disarm();

    expect(rows.length).toBeGreaterThan(1000);
    const most = 2 * limits.wheelTorque + SINGLE;
    for (const [index, row] of rows.entries()) {
      expect(Math.abs(row.commandedTorque)).toBeLessThanOrEqual(most);
      if (row.robotState !== 'running') expect(row.commandedTorque).toBe(0);
      const before = rows[index - 1];
      if (row.robotState !== 'running' || before === undefined || row.sequence !== before.sequence + 1n) continue;
      const step = (2 * limits.slew * before.dtUs) / 1e6;
      expect(Math.abs(row.commandedTorque - before.commandedTorque)).toBeLessThanOrEqual(step + SINGLE);
    }

    const running = rows.filter(({ robotState }) => robotState === 'running');
    const differs = ({ requestedTorque, commandedTorque }: Row) => Math.abs(requestedTorque - commandedTorque) > SINGLE;
    expect(running.filter(differs).every((row) => row.limits !== 0)).toBe(true);
    if (limits === NARROW) {
      const byLimit = (name: 'torque' | 'slew') => running.filter((row) => (row.limits & limitBit(name)) !== 0);
      expect(byLimit('torque').filter(differs).length).toBeGreaterThan(0);
      expect(byLimit('slew').filter(differs).length).toBeGreaterThan(0);
    }

    // In step with the answers, what was commanded for a frame is what acts until the next one; the last command of a run
    // that was stopped in between is the exception.
    const misapplied = running.filter((row) => Math.abs(row.appliedTorque - row.commandedTorque) > WIRE);
    expect(misapplied.length).toBeLessThanOrEqual(4);
  },
);
