import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadRobot, modelsDirectory } from './robot.ts';
import { robotForTask } from './task-limits.ts';

const shipped = loadRobot('wheel-legged');
const strict = {
  ...shipped,
  tasks: { 'standing-still': { wheelTorque: 1, wheelSpeed: undefined, targetVelocity: 0.1 } },
};

/** The shipped robot file with other limits for standing still. */
function fileWith(limits: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-robot-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const text = readFileSync(join(modelsDirectory, 'robots', 'wheel-legged.yaml'), 'utf8');
  const path = join(folder, 'robot.yaml');
  writeFileSync(path, text.replace(/(standing-still:\n)( +)targetVelocity:.*/, `$1$2${limits}`));
  return path;
}

describe('limits of one task', () => {
  it('stand in for those of the robot, and leave the others', () => {
    const standing = robotForTask(strict, 'standing-still');
    expect(standing.limits).toEqual({ ...shipped.limits, wheelTorque: 1, targetVelocity: 0.1 });
    expect(robotForTask(strict, 'moving-straight')).toBe(strict);
    expect(robotForTask(strict, 'standing-still')).toBe(standing);
  });

  it('may only be stricter', () => {
    const path = fileWith('wheelTorque: { value: 2, unit: N·m, source: test }');
    expect(() => loadRobot(path)).toThrow('tasks.standing-still.wheelTorque 2 is above limits.wheelTorque 1.5');
    const stricter = loadRobot(fileWith('wheelTorque: { value: 1.2, unit: N·m, source: test }'));
    expect(robotForTask(stricter, 'standing-still').limits.wheelTorque).toBe(1.2);
  });
});
