import { expect, it, onTestFinished } from 'vitest';
import { FAULTS } from './faults.ts';
import { runFault } from './run-fault.ts';
import { MOVING, STANDING } from './scenario.testing.ts';
import { Scenario } from './scenario.ts';

const fault = (id: string) => {
  const found = FAULTS.find((one) => one.id === id);
  if (!found) throw new Error(`no fault "${id}"`);
  return found;
};

it('the same seed gives the same run to the last bit, whatever ran before, and another seed another', async () => {
  const robot = await Scenario.start();
  onTestFinished(() => robot.end());
  const once = await runFault(robot, fault('gyro-noisy'), STANDING, 5);
  const other = await runFault(robot, fault('gyro-noisy'), STANDING, 6);
  const dropped = await runFault(robot, fault('line-50-percent-dropped'), MOVING, 5);
  const fresh = await Scenario.start();
  onTestFinished(() => fresh.end());
  expect(await runFault(fresh, fault('line-50-percent-dropped'), MOVING, 5)).toEqual(dropped);
  expect(await runFault(fresh, fault('gyro-noisy'), STANDING, 5)).toEqual(once);
  expect(other.maxAbsX).not.toBe(once.maxAbsX);
});
