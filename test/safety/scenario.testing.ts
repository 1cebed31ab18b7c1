import { onTestFailed, onTestFinished } from 'vitest';
import type { ArmedMode } from '../../src/messages/mode.ts';
import { Scenario, type ScenarioOptions } from './scenario.ts';

export const STANDING: ArmedMode = { task: 'standing-still', controller: 'balancer' };
export const MOVING: ArmedMode = { task: 'moving-straight', controller: 'balancer' };

/** A robot that stands or moves by itself, and ends with the test. */
export async function runningRobot(
  mode = STANDING,
  options: ScenarioOptions & { session?: string } = {},
): Promise<Scenario> {
  const { session, ...rest } = options;
  const robot = await Scenario.start(rest);
  onTestFinished(() => robot.end());
  onTestFailed(() => {
    process.stderr.write(robot.log);
  });
  await robot.arm({ mode, seed: 1, ...(session !== undefined && { session }) });
  await robot.advance(2);
  await robot.mark();
  return robot;
}
