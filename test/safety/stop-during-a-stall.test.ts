import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { until } from '../until.ts';
import { runningRobot } from './scenario.testing.ts';
import { tellTrouble } from './trouble.ts';

it('a stop that comes while the event loop stands still is obeyed when it goes on, before any frame makes it drive again', async () => {
  const robot = await runningRobot();
  const release = join(robot.folder.path, 'release');
  await tellTrouble(robot.folder, { block: release, work: 'sleep' });
  await until('it stands still', () => existsSync(`${release}.blocked`));
  const stopping = robot.control.estop('test', () => {}, 20_000);
  // within the watchdog, so that nothing but the stop can have stopped it
  await robot.advance(0.03, 0);
  writeFileSync(release, '');
  // the disk and the motor controller answer in either order
  expect((await stopping).stages.sort()).toEqual(['confirmed', 'latched', 'received']);
  await robot.advance(0.1);
  expect((await robot.truth()).state).toBe('estopped');
  expect((await robot.status())?.state).toBe('estopped');
  expect(robot.judge.violations).toEqual([]);
});
