import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { ArmedMode } from '../../messages/mode.ts';
import { decodeRow } from '../../messages/row.ts';
import { limitBit } from '../../messages/states.ts';
import { modelsDirectory } from '../../robot/robot.ts';
import { conditionBit } from '../../safety/failsafe-table.ts';
import { SimCore } from '../../simulation/sim-core.ts';
import { policiesIn } from './bundles.ts';
import { ReplayRun } from './replay-run.ts';
import { BOOT, robot, tapedLoop } from './taped-loop.testing.ts';

const BALANCER: ArmedMode = { task: 'standing-still', controller: 'balancer' };
const POLICY: ArmedMode = { task: 'standing-still', controller: 'standing-still-balancer' };
const MOVING: ArmedMode = { task: 'moving-straight', controller: 'moving-straight-balancer' };

const EXPLORATION = {
  seed: 5,
  episode: 0,
  wander: 0.3,
  wanderTime: 0.2,
  white: 0.3,
  mostTorque: 1,
  setPoint: 0.2,
  setPointTime: 1,
};

const nothing = new Uint8Array();
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const shipped = () => policiesIn([join(modelsDirectory, 'policies')]);

/** Twin, motor controller, line and control loop with the shipped policies in ONNX Runtime, in step with MCU time. */
async function onTheTwin(rate: number) {
  const policies = new Map([...(await shipped()).values()].map((policy) => [policy.id, policy]));
  let toHost: Uint8Array[] = [];
  const sim = await SimCore.create({
    robot,
    rate,
    hand: true,
    seed: 3,
    toHost: (bytes) => void toHost.push(bytes),
  });
  onTestFinished(() => sim.delete());
  const loop = tapedLoop(policies, { toMcu: (bytes) => sim.receive(bytes) });
  sim.mcu.boot();
  loop.session.hello();
  let frames = 0;
  /** Lets time pass [s]. @param together milliseconds after which the host looks at the line */
  const run = async (seconds: number, together = 1) => {
    for (let left = Math.round(seconds * 1000); left > 0; left -= together) {
      for (let step = 0; step < together; step++) sim.advanceTo(sim.elapsed + 1000);
      loop.clock.now = 1_000_000_000_000n + BigInt(sim.elapsed) * 1000n;
      if (sim.elapsed % 500_000 === 0) loop.session.hello();
      if (sim.elapsed % 50_000 === 0) loop.control.repeat();
      const bytes = Buffer.concat(toHost);
      toHost = [];
      if (bytes.length > 0) loop.push(bytes);
      for (let waits = 0; loop.open() > 0; waits++) {
        if (waits > 10_000) throw new Error('a frame was never answered');
        await turn();
      }
      frames = loop.ticks.length;
    }
  };
  return { sim, loop, run, frames: () => frames, body: sim.needBody() };
}

it.each([200, 400])('a day on the twin comes out of its tape bit for bit, at %i Hz', async (rate) => {
  const { sim, loop, run, body } = await onTheTwin(rate);
  const arm = (mode: ArmedMode) => {
    const refusal = loop.enter(mode);
    if (refusal) throw new Error(refusal.message);
  };
  await run(1.5);
  arm(BALANCER);
  await run(2);
  body.push(20, 0.1);
  await run(1);
  arm(POLICY);
  await run(2);
  // Noise on the line: frames are lost.
  sim.disturb(Uint8Array.of(1, 2, 3, 4));
  await run(0.7);
  // A host that is late: frames come together.
  await run(0.1, 10);
  await run(0.7);
  // An operator who sets it moving and is gone: it holds.
  arm(MOVING);
  await run(2);
  arm({ ...BALANCER, exploration: EXPLORATION });
  await run(0.8);
  arm({ ...POLICY, exploration: { ...EXPLORATION, episode: 1 } });
  await run(0.8);
  arm(BALANCER);
  await run(0.5);
  void loop.control.estop('test');
  await run(1);
  await loop.control.reset(() => run(0.2));
  body.lift();
  await run(1.5);
  arm(POLICY);
  await run(1);
  // The motor controller starts anew under way.
  sim.mcu.boot();
  await run(1);
  loop.control.disarm();
  loop.unplug();
  await run(0.3);
  loop.plug();
  body.lift();
  await run(2);
  arm(BALANCER);
  await run(1);
  loop.tape.close();

  // All of that did happen.
  const rows = loop.rows.map((bytes) => decodeRow(bytes));
  const any = (isSo: (row: NonNullable<(typeof rows)[number]>) => boolean) => rows.some((row) => row && isSo(row));
  for (const id of ['heartbeat-lost', 'estop', 'mcu-restarted'] as const) {
    expect([id, any(({ conditions }) => (conditions & conditionBit(id)) !== 0n)]).toEqual([id, true]);
  }
  expect(any(({ controller, task }) => controller === 'policy' && task === 'moving-straight')).toBe(true);
  for (const kind of ['balancer', 'policy']) {
    const explored = ({ controller, limits }: { controller: string; limits: number }) =>
      controller === kind && (limits & limitBit('exploration')) !== 0;
    expect([kind, any(explored)]).toEqual([kind, true]);
  }
  expect(loop.ticks.some(({ lost }) => lost > 0)).toBe(true);
  expect(loop.ticks.some(({ superseded }) => superseded)).toBe(true);
  expect(loop.control.safety.robotState).toBe('running');

  const replayed = async (from: number) => {
    const run = new ReplayRun({ boot: BOOT, revision: 'test', policies: await shipped() });
    // As they lie on the disk: rows up to a block, then the block.
    let row = 0;
    for (const block of loop.blocks.slice(from)) {
      for (; row < rows.length && (rows[row]?.sequence ?? 0n) < block.sequence; row++)
        run.row(loop.rows[row] ?? nothing);
      await run.block(block);
    }
    for (; row < rows.length; row++) run.row(loop.rows[row] ?? nothing);
    await run.end();
    return run;
  };
  const whole = await replayed(0);
  expect(whole.first).toBeUndefined();
  expect(whole.counters).toMatchObject({
    commands: loop.ticks.length,
    commandsDifferent: 0,
    rows: loop.rows.length,
    rowsDifferent: 0,
    rowsNotReplayed: 0,
    ordersRefused: 0,
  });
  expect(loop.ticks.length).toBeGreaterThan(18 * rate);
  // From each snapshot on, too.
  const later = await replayed(Math.floor(loop.blocks.length / 3));
  expect(later.first).toBeUndefined();
  expect(later.counters.commands).toBeGreaterThan(loop.ticks.length / 3);
});
