import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ArmedMode } from '../../messages/mode.ts';
import { ROW_BYTES } from '../../messages/row.ts';
import { flipBit } from '../../messages/tape.testing.ts';
import type { TapeBlock } from '../../messages/tape-block.ts';
import { leaning, McuWire } from '../frames.testing.ts';
import { hashText } from '../tape/describe-run.ts';
import { policyKey } from './bundles.ts';
import { ReplayRun, type ReplayRunOptions, robotDifferences } from './replay-run.ts';
import { BOOT, robot, SlowPolicy, tapedLoop } from './taped-loop.testing.ts';

/** Where in the payload of `sensors` the left wheel's velocity is. */
const WHEEL_VELOCITY = 39;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const BALANCER: ArmedMode = { task: 'standing-still', controller: 'balancer' };
const POLICY: ArmedMode = { task: 'standing-still', controller: 'slow' };
const MOVING: ArmedMode = { task: 'moving-straight', controller: 'balancer' };

const policies = () => new Map([['slow', new SlowPolicy('slow', 99n)]]);
/** Another version of the same policy. */
const newer = () => new SlowPolicy('slow', 98n, 0.7);
const atHand = () =>
  new Map([
    [policyKey('slow', hashText(99n)), new SlowPolicy('slow', 99n)],
    [policyKey('slow', hashText(98n)), newer()],
  ]);

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
  'version',
  'version withdrawn',
] as const;
type Event = (typeof EVENTS)[number];
type Story = ReadonlyArray<{ readonly event: Event; readonly frames: number }>;

const events = fc.array(
  fc.record({
    event: fc.oneof({ weight: 3, arbitrary: fc.constant<Event>('policy') }, fc.constantFrom<Event>(...EVENTS)),
    frames: fc.integer({ min: 1, max: 30 }),
  }),
  { maxLength: 25 },
);

/** Lives through the events; every number that a sensor tells is another one each time. */
async function live(story: Story, snapshotFrames = 1000) {
  const known = policies();
  const loop = tapedLoop(known, { snapshotFrames });
  const older = known.get('slow');
  if (!older) throw new Error('no policy');
  let policy = older;
  const versions = [older, newer()] as const;
  const change = (to: SlowPolicy | undefined) => {
    if (to) known.set('slow', to);
    else known.delete('slow');
    policy = to ?? older;
    loop.control.policyChanged('slow');
  };
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
    if (event === 'version') change(versions[known.get('slow') === older ? 1 : 0]);
    if (event === 'version withdrawn') change(undefined);
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
      const asked = policy;
      asked.wait = () =>
        new Promise((resolve) => {
          go = () => {
            loop.clock.now += event === 'late' ? 9_000_000n : 1_000_000n;
            resolve();
          };
        });
      loop.push(bytes());
      await turn();
      if (event === 'late') loop.push(bytes());
      else if (many % 4 === 3) change(versions[asked === older ? 1 : 0]);
      else if (many % 3 === 0) void loop.control.estop('in between');
      else if (many % 3 === 1) loop.enter(BALANCER);
      else loop.control.disarm();
      asked.wait = async () => {};
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
  const run = new ReplayRun({ boot: BOOT, revision: 'test', policies: atHand(), ...options });
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
          blocksUnreadable: 0,
        });
        policyRows += loop.ticks.filter(({ controller }) => controller === 'policy').length;
      }),
      { numRuns: 25 },
    );
    expect(policyRows).toBeGreaterThan(300);
  });

  /** Some of them come between a snapshot and the frame after it. */
  const ordersBesideSnapshots: Story = [
    { event: 'policy', frames: 15 },
    { event: 'moving', frames: 5 },
    { event: 'policy', frames: 1 },
    { event: 'policy', frames: 24 },
  ];

  it('begins anew at each snapshot, and says what it could not replay', async () => {
    let begun = 0;
    await fc.assert(
      fc.asyncProperty(events, fc.nat(), async (story, cut) => {
        const loop = await live(story, 45);
        const [, ...blocks] = loop.blocks;
        const kept = blocks.slice(cut % Math.max(1, blocks.length));
        const run = await replay({ blocks: kept, rows: loop.rows });
        expect(run.first).toBeUndefined();
        const { frames, commands, rows, rowsNotReplayed } = run.counters;
        const skipped = run.skipped.reduce((total, part) => total + part.frames, 0);
        expect(commands).toBe(frames - skipped);
        expect(rows + rowsNotReplayed).toBe(loop.rows.length);
        if (skipped > 0) expect(run.skipped[0]?.reason).toContain('in the middle of a run');
        // A snapshot comes every few blocks.
        expect(skipped).toBeLessThan(120);
        if (commands > 0) begun += 1;
      }),
      { numRuns: 25, examples: [[ordersBesideSnapshots, 16]] },
    );
    expect(begun).toBeGreaterThan(10);
  });

  it('begins anew after blocks that are missing in the middle', async () => {
    const story: Story = [
      { event: 'policy', frames: 200 },
      { event: 'balancer', frames: 100 },
      { event: 'policy', frames: 100 },
    ];
    const loop = await live(story, 45);
    const without = loop.blocks.filter(({ number }) => number !== 8n && number !== 9n);
    const run = await replay({ blocks: without, rows: loop.rows });
    expect(run.first).toBeUndefined();
    expect(run.skipped.map(({ reason }) => reason)).toEqual(['blocks 8 to 9 of the tape are missing']);
    expect(run.counters.commands).toBeGreaterThan(350);
  });
});

describe('a difference', () => {
  const story: Story = [
    { event: 'policy', frames: 120 },
    { event: 'lean', frames: 10 },
  ];

  it('of one limit of the robot is found at the first command that it changes', async () => {
    const loop = await live(story);
    const other = { ...robot, limits: { ...robot.limits, wheelTorqueSlew: robot.limits.wheelTorqueSlew / 20 } };
    const run = await replay(loop, { robot: other });
    expect(run.counters.commandsDifferent).toBeGreaterThan(0);
    expect(run.first).toMatchObject({ what: 'command', differs: { wheelTorque: {} } });
    expect(robotDifferences(run.run?.robot ?? {}, other)).toEqual([
      {
        key: 'limits.wheelTorqueSlew',
        recorded: robot.limits.wheelTorqueSlew,
        given: robot.limits.wheelTorqueSlew / 20,
      },
    ]);
  });

  it('of one bit, anywhere in a row, is found and named', async () => {
    const loop = await live(story);
    // Its wall clock is all that the tape does not know.
    const WALL = [8, 16];
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), async (which, where) => {
        const rows = loop.rows.map((row) => row.slice());
        const row = rows[which % rows.length];
        const bit = where % (8 * ROW_BYTES);
        const byte = bit >>> 3;
        fc.pre(row !== undefined && (byte < (WALL[0] ?? 0) || byte >= (WALL[1] ?? 0)));
        if (row) row[byte] = (row[byte] ?? 0) ^ (1 << (bit & 7));
        const { first, counters } = await replay({ blocks: loop.blocks, rows });
        // Who does not know its number any more misses it.
        expect(first !== undefined || counters.rowsNotReplayed > 0 || counters.rows < rows.length).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it('of one bit of a sensor frame is found, where it makes any difference to anything', async () => {
    const loop = await live(story);
    const honest = await replay(loop);
    expect(honest.first).toBeUndefined();
    // Wheel velocity of a frame in the middle of the run under the policy.
    const block = loop.blocks[9];
    if (!block) throw new Error('no block');
    const sequence = Number(block.sequence);
    const records = flipBit(block.records, { frame: 0, byte: WHEEL_VELOCITY, bit: 6 });
    const blocks = loop.blocks.map((one) => (one === block ? { ...one, records } : one));
    const run = await replay({ blocks, rows: loop.rows });
    expect(run.first).toBeDefined();
    // The row before it ends with this frame.
    expect([sequence - 1, sequence]).toContain(run.first?.sequence);
  });
});

it('goes on from one version of a policy to the next, also from a snapshot after it', async () => {
  const story = [
    'policy',
    'version',
    'frame',
    'frame',
    'version withdrawn',
    'frame',
    'version',
    'frame',
    'frame',
  ] as const;
  const loop = await live(
    story.map((event) => ({ event, frames: 30 })),
    50,
  );
  const hashes = loop.ticks.filter(({ controller }) => controller === 'policy').map(({ policyHash }) => policyHash);
  expect([...new Set(hashes)].sort()).toEqual([98n, 99n]);
  // Where there is none, the balancer holds the robot.
  expect(loop.ticks.some(({ controller, robotState }) => controller === 'balancer' && robotState === 'running')).toBe(
    true,
  );
  for (const from of [0, Math.floor(loop.blocks.length / 2), loop.blocks.length - 8]) {
    const run = new ReplayRun({ boot: BOOT, revision: 'test', policies: atHand() });
    for (const block of loop.blocks.slice(from)) await run.block(block);
    await run.end();
    expect(run.first).toBeUndefined();
    expect(run.counters.commands).toBeGreaterThan(100);
  }
  const without = new ReplayRun({ boot: BOOT, revision: 'test', policies: new Map([...atHand()].slice(0, 1)) });
  for (const block of loop.blocks) await without.block(block);
  await without.end();
  expect(without.skipped.map(({ reason }) => reason).join()).toMatch(/policy slow \(sha256 0*62…\) is not at hand/);
});
