import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { policiesIn, policyFrom } from '../control/replay/bundles.ts';
import { PolicyTrial } from '../control/replay/policy-trial.ts';
import { ReplayRun, robotDifferences, type Skipped } from '../control/replay/replay-run.ts';
import { EdgeError, messageOf } from '../errors.ts';
import type { TapeBlock } from '../messages/tape-block.ts';
import { bootText } from '../recording/channels.ts';
import { peekRow } from '../recording/row-key.ts';
import { bySequence, isSegment } from '../recording/segment-name.ts';
import { SegmentReader } from '../recording/segment-reader.ts';
import { loadRobot, modelsDirectory, type Robot } from '../robot/robot.ts';
import { revision } from './context.ts';
import { say, sayJson } from './output.ts';

interface Options {
  robot?: string;
  policies?: string[];
  policy?: string;
  json?: boolean;
}

export function registerReplay(program: Command): void {
  program
    .command('replay')
    .description('compute every command of a recorded run again, and hold it against the one that was sent')
    .argument('<segment...>', 'segments of a recording, or folders of them')
    .option('--robot <name>', 'a robot file, in place of the numbers that were recorded; says which differ')
    .option('--policies <folder...>', 'where the policies of the run are, beside those that ship')
    .option('--policy <bundle>', 'another policy on the recorded states: what it would have asked for, and tripped')
    .option('--json', 'print one JSON object as the last line')
    .action(replay);
}

/** One run of control, and what another policy would have done in it. */
interface Replayed {
  readonly run: ReplayRun;
  readonly other: ReplayRun | undefined;
}

async function replay(paths: readonly string[], options: Options): Promise<void> {
  const robot = options.robot === undefined ? undefined : loadRobot(options.robot);
  const folders = [join(modelsDirectory, 'policies'), ...(options.policies ?? [])];
  const policies = await policiesIn(folders);
  const instead = options.policy === undefined ? undefined : await policyFrom(options.policy);
  // Policies remember what they saw: the run with another one in it has its own.
  const others = instead ? await policiesIn(folders) : policies;
  const trial = instead && new PolicyTrial(instead.hash, instead.torqueScale, instead.joints === undefined);

  const runs = new Map<bigint, Replayed>();
  const begin = (boot: bigint): Replayed => {
    const run = new ReplayRun({ boot, revision, robot, policies, onTick: trial && ((tick) => trial.recorded(tick)) });
    const other =
      instead &&
      new ReplayRun({ boot, revision, robot, policies: others, instead, onTick: (tick) => trial?.other(tick) });
    const replayed = { run, other };
    runs.set(boot, replayed);
    return replayed;
  };
  const damaged: string[] = [];
  const files = segmentsIn(paths);
  let now: bigint | undefined;
  for (const file of files) {
    const reader = new SegmentReader(file);
    for await (const messages of reader.chunks()) {
      for (const message of messages) {
        const block = reader.tapeOf(message);
        const row = reader.rowOf(message);
        const boot = block?.boot ?? (row && peekRow(row)?.boot);
        if (boot === undefined) continue;
        if (now !== undefined && now !== boot) await endOf(runs.get(now));
        now = boot;
        const replayed = runs.get(boot) ?? begin(boot);
        if (block) await take(replayed, block);
        else if (row) replayed.run.row(row);
      }
    }
    if (reader.ending?.kind === 'damaged') damaged.push(`${basename(file)}: ${reader.ending.reason}`);
  }
  if (now !== undefined) await endOf(runs.get(now));

  const report = reportOn(runs, { files, damaged, robot });
  const policy = trial && instead ? { policy: { id: instead.id, ...trialReport(trial) } } : {};
  if (options.json) sayJson({ ...report, ...policy });
  else {
    for (const line of describe(report)) say(line);
    if (trial && instead) for (const line of describeTrial(instead.id, trial)) say(line);
  }
  if (!report.ok) {
    throw new EdgeError(
      'replayDiffers',
      report.why.join('; '),
      'the first difference is named above; versions, robot files and machines that compute otherwise make one',
    );
  }
}

async function take({ run, other }: Replayed, block: TapeBlock): Promise<void> {
  await run.block(block);
  await other?.block(block);
}

async function endOf(replayed: Replayed | undefined): Promise<void> {
  await replayed?.run.end();
  await replayed?.other?.end();
}

/** @throws EdgeError `fileUnreadable` */
function segmentsIn(paths: readonly string[]): string[] {
  const files = paths.flatMap((path) => {
    try {
      if (!statSync(path).isDirectory()) return [path];
      return readdirSync(path)
        .filter(isSegment)
        .map((name) => join(path, name));
    } catch (error) {
      throw new EdgeError(
        'fileUnreadable',
        `cannot read ${path}: ${messageOf(error)}`,
        'name segments or their folder',
      );
    }
  });
  return files.sort((a, b) => bySequence(basename(a), basename(b)));
}

function reportOn(
  runs: ReadonlyMap<bigint, Replayed>,
  { files, damaged, robot }: { files: readonly string[]; damaged: readonly string[]; robot: Robot | undefined },
) {
  const all = [...runs.values()].map(({ run }) => run);
  const sum = (name: keyof ReplayRun['counters']) => all.reduce((total, { counters }) => total + counters[name], 0);
  const skipped = [...runs].flatMap(([boot, { run }]) => run.skipped.map((one) => ({ boot: bootText(boot), ...one })));
  const [described] = all.flatMap(({ run }) => run ?? []);
  const robotDiffers = robot && described ? robotDifferences(described.robot, robot) : [];
  const mismatches = sum('commandsDifferent') + sum('rowsDifferent') + sum('ordersRefused');
  const commands = sum('commands');
  const unreadable = sum('blocksUnreadable');
  const why = [
    ...(mismatches > 0 ? [`${mismatches} of the recording's commands, rows and orders come out otherwise`] : []),
    ...(commands === 0 ? ['there is nothing in it that can be replayed'] : []),
    ...(unreadable > 0 ? [`${unreadable} blocks of the tape cannot be read`] : []),
    ...(damaged.length > 0 ? [`${damaged.length} segments are damaged: ${damaged.join(', ')}`] : []),
  ];
  return {
    ok: why.length === 0,
    why,
    segments: files.length,
    runs: runs.size,
    revision: described?.revision ?? '',
    frames: sum('frames'),
    commands,
    rows: sum('rows'),
    mismatches,
    commandsDifferent: sum('commandsDifferent'),
    rowsDifferent: sum('rowsDifferent'),
    ordersRefused: sum('ordersRefused'),
    rowsNotReplayed: sum('rowsNotReplayed'),
    blocksUnreadable: unreadable,
    first: all.find(({ first }) => first)?.first ?? null,
    robotDiffers,
    skipped,
    damaged,
  };
}

type Report = ReturnType<typeof reportOn>;

const describe = (report: Report): string[] => [
  `${report.segments} segments, ${report.runs} runs of control, recorded by version ${report.revision}`,
  `${report.commands} commands computed again, ${report.commandsDifferent} differ; ${report.rows} rows, ${report.rowsDifferent} differ`,
  ...report.robotDiffers.map(
    ({ key, recorded, given }) => `robot: ${key} was ${String(recorded)}, is ${String(given)}`,
  ),
  ...(report.first
    ? [`first difference, at frame ${report.first.sequence}: ${JSON.stringify(report.first, null, 2)}`]
    : []),
  ...(report.rowsNotReplayed > 0 ? [`${report.rowsNotReplayed} rows were not replayed`] : []),
  ...report.skipped.map(describeSkipped),
];

const describeSkipped = ({ boot, reason, from, to, frames }: Skipped & { boot: string }): string =>
  `skipped ${frames} frames, ${from} to ${to} of run ${boot}: ${reason}`;

const trialReport = ({ rows, limits, saturated, tripped, difference }: PolicyTrial) => ({
  rows,
  limits,
  saturated,
  tripped,
  difference: { ...difference, maxRow: difference.maxRow < 0 ? null : difference.maxRow },
});

function describeTrial(id: string, { rows, limits, saturated, tripped, difference }: PolicyTrial): string[] {
  const acted = Object.entries(limits).map(([limit, count]) => `${limit} ${count}`);
  return [
    `${id} on the recorded states: in charge of ${rows} rows; saturated on ${saturated}`,
    `limits that would have acted: ${acted.join(', ') || 'none'}`,
    `|action - recorded action|: mean ${difference.mean.toPrecision(3)}, max ${difference.max.toPrecision(3)} at row ${difference.maxRow}`,
    ...(tripped.length === 0 ? ['it would have tripped nothing that the run did not'] : []),
    ...tripped.map(
      ({ condition, action, firstRow, rows: times }) =>
        `it would have tripped ${condition} (${action}) at row ${firstRow}, on ${times} rows`,
    ),
  ];
}
