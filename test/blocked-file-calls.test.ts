import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type RobotOptions, reasonsOf, TestRobot, temporaryFolder, until } from './harness.ts';

const preload = fileURLToPath(new URL('fixtures/block-file-calls.cjs', import.meta.url));

/** A robot whose control can be made to wait in eight file calls at once. */
async function robotThatBlocks({ environment, ...options }: RobotOptions = {}) {
  const folder = join(temporaryFolder(), 'fifos');
  mkdirSync(folder);
  const fifos = Array.from({ length: 8 }, (_, index) => join(folder, `${index}`));
  expect(spawnSync('mkfifo', fifos).status).toBe(0);
  const blocking = { NODE_OPTIONS: `--require ${preload}`, BLOCKING_FIFOS: fifos.join(':') };
  const robot = await TestRobot.start({ ...options, environment: { ...environment, ...blocking } });
  const pid = await robot.controlPid();
  return {
    robot,
    block: () => process.kill(pid, 'SIGWINCH'),
    /** Lets a call go on. Opening a FIFO for writing without waiting fails unless somebody has it open for reading, or waits for that. */
    release: async (index: number) => {
      const fifo = fifos[index] ?? '';
      const descriptor = await until(`a call waits for ${fifo}`, () => {
        try {
          return openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
        } catch {
          return undefined;
        }
      });
      onTestFinished(() => closeSync(descriptor));
    },
  };
}

describe('control with eight file calls that wait', () => {
  it('answers every frame in step', async () => {
    const { robot, block, release } = await robotThatBlocks();
    await robot.stand();
    await robot.simulator.request('mark', { name: 'blocked' });
    block();
    await robot.simulator.wait(3);
    const { counters, state } = await robot.control.status();
    expect(state).toBe('running');
    expect(counters['frames.lost']).toBe(0);
    expect(counters.answered).toBe(counters.frames);
    expect(await robot.simulator.measure('blocked')).toMatchObject({ falls: 0 });
    expect((await robot.simulator.truth()).state).toBe('active');
    // All eight were waiting at the same time all along.
    for (let index = 0; index < 8; index++) await release(index);
  });

  it('loses no frame in real time', async () => {
    const { robot, block, release } = await robotThatBlocks({ pace: 'real' });
    await robot.arm();
    const before = await robot.control.status();
    block();
    await robot.simulator.wait(2);
    const after = await robot.control.status();
    expect(after.counters['frames.lost']).toBe(0);
    expect(after.counters.frames).toBeGreaterThan((before.counters.frames ?? 0) + 100);
    expect(after.counters.answered).toBe(after.counters.frames);
    for (let index = 0; index < 8; index++) await release(index);
  });

  it('would hear nothing any more with the four threads that Node has by itself', async () => {
    const { robot, block, release } = await robotThatBlocks({ environment: { UV_THREADPOOL_SIZE: '4' } });
    await robot.stand();
    block();
    await robot.truth('the motor controller brakes by its watchdog', ({ state }) => state !== 'active');
    const deaf = await robot.control.status();
    await robot.simulator.wait(0.5);
    const still = await robot.control.status();
    expect(still.counters.frames).toBe(deaf.counters.frames);
    // One of the four calls ends, and the next takes its thread; only when half of them are through is one free.
    for (let index = 0; index < 8; index++) await release(index);
    const status = await robot.status('control hears again', ({ counters }) => {
      return (counters.frames ?? 0) > (still.counters.frames ?? 0);
    });
    expect(status.state).not.toBe('running');
    expect(reasonsOf(status)).not.toEqual([]);
  });
});
