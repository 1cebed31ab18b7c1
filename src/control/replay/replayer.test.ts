import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ArmedMode } from '../../messages/mode.ts';
import type { TapeBlock } from '../../messages/tape-block.ts';
import { leaning, McuWire } from '../frames.testing.ts';
import { hashText } from '../tape/describe-run.ts';
import { policyKey } from './bundles.ts';
import { ReplayRun, type ReplayRunOptions } from './replay-run.ts';
import { BOOT, SlowPolicy, tapedLoop } from './taped-loop.testing.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const BALANCER: ArmedMode = { task: 'standing-still', controller: 'balancer' };
const POLICY: ArmedMode = { task: 'standing-still', controller: 'slow' };
const MOVING: ArmedMode = { task: 'moving-straight', controller: 'balancer' };

const policies = () => new Map([['slow', new SlowPolicy('slow', 99n)]]);
const atHand = () => new Map([[policyKey('slow', hashText(99n)), new SlowPolicy('slow', 99n)]]);

/** What may happen to a robot from one frame to the next. */
const EVENTS = [
  'frame',
  'frames together',
  'lost',
  'order while a policy runs',
  'estop',
  'disarm',
  'reset',
  'balancer',
  'policy',
  'moving',
  'late',
  'silence',
  'unplug',
  'not on disk',
  'lean',
  'upright',
] as const;
type Event = (typeof EVENTS)[number];

const events = fc.array(
  fc.record({
    event: fc.oneof({ weight: 3, arbitrary: fc.constant<Event>('policy') }, fc.constantFrom<Event>(...EVENTS)),
    frames: fc.integer({ min: 1, max: 30 }),
  }),
  { maxLength: 25 },
);

/** Lives through the events; every number that a sensor tells is another one each time. */
async function live(story: ReadonlyArray<{ event: Event; frames: number }>) {
  const known = policies();
  const loop = tapedLoop(known);
  const policy = known.get('slow');
  if (!policy) throw new Error('no policy');
  const wire = new McuWire();
  let lean = 0;
  let count = 0;
  const bytes = () => {
    count += 1;
    const shake = 0.01 * Math.sin(count * 1.7);
    return wire.sensors({
      state: loop.control.safety.robotState === 'running' ? 'active' : 'idle',
      attitude: leaning(lean + shake),
      gyro: [shake, -shake, shake / 2],
      acceleration: [shake, -9.81 * Math.sin(lean), 9.81 + shake],
      wheelPosition: [count * 0.001, count * 0.0011],
      wheelVelocity: [0.2 + shake, 0.2 - shake],
      wheelTorqueApplied: [shake, shake],
      temperature: 30 + (count % 8),
    });
  };
  const frames = async (many: number) => {
    for (let left = many; left > 0; left--) {
      loop.clock.now += 5_000_000n;
      loop.push(bytes());
      await turn();
    }
  };
  await frames(120);
  for (const { event, frames: many } of story) {
    if (event === 'frames together') loop.push(new Uint8Array(Buffer.concat([bytes(), bytes(), bytes()])));
    if (event === 'lost') wire.lose(1 + (many % 8));
    if (event === 'estop') void loop.control.estop('test');
    if (event === 'disarm') loop.control.disarm();
    if (event === 'reset') await loop.control.reset(async () => {});
    if (event === 'balancer') loop.enter(BALANCER);
    if (event === 'policy') loop.enter(POLICY);
    if (event === 'moving') loop.enter(MOVING);
    if (event === 'silence') loop.control.linkSilent(true);
    if (event === 'not on disk') loop.latch.notPersisted = !loop.latch.notPersisted;
    if (event === 'lean') lean = 0.3;
    if (event === 'upright') lean = 0;
    if (event === 'unplug') {
      loop.unplug();
      loop.plug();
    }
    if (event === 'order while a policy runs' || event === 'late') {
      let go = () => {};
      policy.wait = () =>
        new Promise((resolve) => {
          go = () => {
            loop.clock.now += event === 'late' ? 9_000_000n : 1_000_000n;
            resolve();
          };
        });
      loop.push(bytes());
      await turn();
      if (event === 'late') loop.push(bytes());
      else if (many % 3 === 0) void loop.control.estop('in between');
      else if (many % 3 === 1) loop.enter(BALANCER);
      else loop.control.disarm();
      policy.wait = async () => {};
      go();
      await turn();
    }
    await frames(many);
  }
  await turn();
  loop.tape.close();
  return loop;
}

async function replay(
  loop: { readonly blocks: readonly TapeBlock[]; readonly rows: readonly Uint8Array[] },
  options: Partial<ReplayRunOptions> = {},
): Promise<ReplayRun> {
  const run = new ReplayRun({ boot: BOOT, policies: atHand(), ...options });
  for (const row of loop.rows) run.row(row);
  for (const block of loop.blocks) await run.block(block);
  await run.end();
  return run;
}

describe('a replay', () => {
  it('computes every command and row of a run again, whatever happened in it', async () => {
    let policyRows = 0;
    await fc.assert(
      fc.asyncProperty(events, async (story) => {
        const loop = await live(story);
        const run = await replay(loop);
        expect(run.first).toBeUndefined();
        expect(run.counters).toEqual({
          frames: loop.ticks.length,
          commands: loop.ticks.length,
          commandsDifferent: 0,
          rows: loop.rows.length,
          rowsDifferent: 0,
          rowsNotReplayed: 0,
          ordersRefused: 0,
        });
        policyRows += loop.ticks.filter(({ controller }) => controller === 'policy').length;
      }),
      { numRuns: 25 },
    );
    expect(policyRows).toBeGreaterThan(300);
  });
});
