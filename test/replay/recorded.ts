import { join } from 'node:path';
import { revision } from '../../src/commands/context.ts';
import { leaning, McuWire } from '../../src/control/frames.testing.ts';
import { policiesIn } from '../../src/control/replay/bundles.ts';
import { tapedLoop } from '../../src/control/replay/taped-loop.testing.ts';
import type { ArmedMode } from '../../src/messages/mode.ts';
import { encodeTapeBlock } from '../../src/messages/tape-block.ts';
import { Recorder } from '../../src/recording/recorder.ts';
import { modelsDirectory } from '../../src/robot/robot.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A policy under which the robot stood, and for how many frames. */
export type Chapter = readonly [mode: ArmedMode, frames: number];

/**
 * A folder of segments as control and gateway leave it, of a robot that is held and shaken under the policies that ship; made
 * in this process, with the real pipeline, ONNX Runtime and recorder.
 * @param change of a block of the tape, on its way to the disk
 */
export async function recordRun(
  directory: string,
  chapters: readonly Chapter[],
  change: (bytes: Uint8Array, number: bigint) => Uint8Array | undefined = (bytes) => bytes,
): Promise<void> {
  const shipped = [...(await policiesIn([join(modelsDirectory, 'policies')])).values()];
  const loop = tapedLoop(new Map(shipped.map((policy) => [policy.id, policy])), { revision });
  const wire = new McuWire();
  let count = 0;
  const frames = async (many: number) => {
    for (let left = many; left > 0; left--) {
      count += 1;
      const shake = 0.02 * Math.sin(count * 0.7) + 0.01 * Math.sin(count * 1.9);
      loop.clock.now += 5_000_000n;
      loop.push(
        wire.sensors({
          state: loop.control.safety.robotState === 'running' ? 'active' : 'idle',
          attitude: leaning(shake),
          gyro: [shake, -shake, shake / 2],
          acceleration: [shake, -shake, 9.81 + shake],
          wheelPosition: [count * 0.001, count * 0.0011],
          // It goes faster and faster.
          wheelVelocity: [0.2 + 0.0005 * count + shake, 0.2 + 0.0005 * count - shake],
        }),
      );
      for (let waits = 0; loop.ticks.length < count; waits++) {
        if (waits > 10_000) throw new Error('a frame was never answered');
        await turn();
      }
    }
  };
  await frames(120);
  for (const [mode, many] of chapters) {
    const refusal = loop.enter(mode);
    if (refusal) throw new Error(refusal.message);
    await frames(many);
  }
  loop.control.disarm();
  await frames(20);
  loop.tape.close();

  const recorder = new Recorder({
    directory,
    robot: 'robot-1',
    revision,
    onDurable: () => {},
    onProblem: ({ message }) => {
      throw new Error(message);
    },
  });
  await recorder.start();
  for (const row of loop.rows) recorder.row(row);
  for (const block of loop.blocks) {
    const bytes = change(encodeTapeBlock(block), block.number);
    if (bytes) recorder.tape(bytes);
  }
  await recorder.stop();
}
