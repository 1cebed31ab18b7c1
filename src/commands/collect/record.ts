import { randomInt } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { EdgeError } from '../../errors.ts';
import { explorationSchema } from '../../messages/exploration.ts';
import { type ArmedMode, modeSchema } from '../../messages/mode.ts';
import { taskNames } from '../../robot/tasks/tasks.ts';
import { findConfig } from '../context.ts';
import { say, sayJson } from '../output.ts';
import { connectToRobot, operatorKey, type RobotOptions, speaksOverBroker } from '../robot-client.ts';
import { SimulatorClient } from '../simulator-client.ts';
import { Collection, type CollectionParts, type CollectionPlan, type CollectionResult } from './collection.ts';
import { NOISE, NOISE_NAMES, type NoiseName } from './noise.ts';
import { ProgressBar } from './progress-bar.ts';
import { SimulatedSite } from './simulated-site.ts';

interface RecordOptions extends RobotOptions {
  json?: boolean;
  task?: (typeof taskNames)[number];
  controller: string;
  velocity?: number;
  minutes?: number;
  transitions?: number;
  seed?: number;
  noise: NoiseName;
  wander?: number;
  white?: number;
  mostTorque?: number;
  setPoint?: number;
  simulator?: string;
  simulate?: boolean;
  out?: string;
  gap?: string[];
  simulatorSeed?: number;
}

/** One look, and one heartbeat, in this time of the robot [s]. */
const LOOK = 0.2;

/** The simulator's hand lifts within two seconds: later than this it never will [looks]. */
const LIFT_PATIENCE = 150;

/** `record start|stop`, and the collecting of data as a guided job: `record --task …`. */
export function registerRecord(command: Command): void {
  const number = (flags: string, says: string) => new Option(flags, says).argParser(Number);
  command
    .description('start or stop recording transitions; with --task: collect them, under noise, lifting after each fall')
    .addArgument(command.createArgument('[what]', 'start or stop').choices(['start', 'stop']))
    .addOption(new Option('--task <name>', 'collect data of this task').choices(taskNames))
    .option('--controller <name>', 'balancer (built in) or the id of a policy', 'balancer')
    .addOption(number('--velocity <m/s>', 'forward speed, for the balancer'))
    .addOption(number('--minutes <n>', 'of transitions to collect'))
    .addOption(number('--transitions <n>', 'to collect'))
    .addOption(number('--seed <n>', 'of noise and set points (default: drawn, and told)'))
    .addOption(new Option('--noise <name>', 'how much').choices(NOISE_NAMES).default('clean'))
    .addOption(number('--wander <N·m>', 'standard deviation of noise that comes and goes, in place of that of --noise'))
    .addOption(number('--white <N·m>', 'standard deviation of noise of each decision, in place of that of --noise'))
    .addOption(number('--most-torque <N·m>', 'bound of both together, in place of that of --noise'))
    .addOption(number('--set-point <m or m/s>', 'how far place or speed wander, in place of that of --noise'))
    .option('--simulator <socket>', 'the robot is a running robot-sim: lift it there')
    .option('--simulate', 'on a simulated robot of its own, as fast as this machine')
    .option('--out <folder>', 'with --simulate: where everything goes (default: collected-TASK-SEED)')
    .option('--gap <name...>', 'with --simulate: dynamics gaps, names that ship or files')
    .addOption(number('--simulator-seed <n>', 'with --simulate: seed of everything random in the simulation'))
    .action(record);
}

async function record(what: string | undefined, options: RecordOptions): Promise<void> {
  if ((what === undefined) === (options.task === undefined)) {
    throw new EdgeError('usage', 'record what?', 'say start or stop, or name a --task to collect data of');
  }
  refuseStray(what, options);
  if (what !== undefined) await startOrStop(what === 'start', options);
  else await collect(planOf(options), options);
}

/** What only means something together with something else; a robot must not move because that was forgotten. */
const ONLY_WITH: Readonly<Record<'task' | 'simulate' | 'robot', readonly (keyof RecordOptions)[]>> = {
  task: [
    'minutes',
    'transitions',
    'velocity',
    'seed',
    'wander',
    'white',
    'mostTorque',
    'setPoint',
    'simulator',
    'simulate',
  ],
  simulate: ['out', 'gap', 'simulatorSeed'],
  robot: ['simulator', 'broker', 'robot', 'config', 'key'],
};

/** @throws EdgeError `usage` for options that would be left unread */
function refuseStray(what: string | undefined, options: RecordOptions): void {
  const stray = [
    ...(what === undefined ? [] : ONLY_WITH.task),
    ...ONLY_WITH[options.simulate ? 'robot' : 'simulate'],
  ].filter((name) => options[name] !== undefined);
  if (stray.length === 0) return;
  const flags = stray.map((name) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`).join(', ');
  const beside =
    what !== undefined
      ? `with ${what}`
      : options.simulate
        ? 'with --simulate, which brings a robot of its own'
        : 'without --simulate';
  throw new EdgeError(
    'usage',
    `${flags} means nothing ${beside}`,
    'leave one of them out; see `h2o-edge record --help`',
  );
}

async function startOrStop(recording: boolean, options: RecordOptions): Promise<void> {
  const key = operatorKey(options);
  const client = await connectToRobot(options);
  try {
    await client.command({ name: 'record', recording }, key);
  } finally {
    client.close();
  }
  if (options.json) sayJson({ ok: true, recording });
  else say(recording ? 'recording' : 'not recording');
}

/** @throws EdgeError `usage` */
function planOf(options: RecordOptions): CollectionPlan {
  const { task, controller, velocity, minutes, transitions, noise, seed = randomInt(2 ** 31) } = options;
  const { wander, white, mostTorque, setPoint } = options;
  const given = { wander, white, mostTorque, setPoint };
  const own = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const exploration = explorationSchema.safeParse({ ...NOISE[noise], ...own, seed, episode: 0 });
  const mode = modeSchema.safeParse({ task, controller, ...(velocity !== undefined && { targetVelocity: velocity }) });
  const issues = [...(exploration.error?.issues ?? []), ...(mode.error?.issues ?? [])];
  if (!exploration.success || !mode.success || mode.data.task === 'disarmed') {
    const problems = issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
    throw new EdgeError('usage', `this cannot be collected: ${problems}`, 'see `h2o-edge record --help`');
  }
  if ((minutes === undefined) === (transitions === undefined)) {
    throw new EdgeError('usage', 'how much is to be collected?', 'give --minutes or --transitions');
  }
  for (const [name, value] of Object.entries({ minutes, transitions })) {
    if (value === undefined || (value > 0 && Number.isFinite(value) && (name === 'minutes' || Number.isInteger(value))))
      continue;
    throw new EdgeError('usage', `--${name} ${value}`, 'give a number above 0');
  }
  const { episode: _, ...noises } = exploration.data;
  return {
    task: mode.data satisfies ArmedMode,
    exploration: noises,
    ...(transitions !== undefined && { transitions }),
    ...(minutes !== undefined && { minutes }),
  };
}

async function collect(plan: CollectionPlan, options: RecordOptions): Promise<void> {
  const { now, ending } = whatEndsIt();
  const bar = new ProgressBar(process.stderr, now);
  bar.say(
    `${plan.task.task} under ${plan.task.controller}: noise ${options.noise}, seed ${plan.exploration.seed}; Ctrl-C ends it`,
  );
  const site = options.simulate ? await startSite(plan, options) : undefined;
  let result: CollectionResult;
  let recordings: string | undefined;
  const before = new Set<string>();
  try {
    const place = site ? await onTheTwin(site) : await onTheRobot(options, bar);
    recordings = place.recordings;
    for (const file of segmentsIn(recordings)) before.add(file);
    let diskLeft: number | undefined;
    const collection = new Collection(plan, {
      ...place.parts,
      told: ending,
      atTheEnd: options.simulate ? 'disarm' : 'stand',
      now,
      onProgress: (progress) => {
        void freeBytes(recordings).then((bytes) => {
          diskLeft = bytes;
        });
        bar.show(progress, diskLeft);
      },
    });
    const running = collection.run();
    result = await (site ? Promise.race([running, site.broken]) : running).finally(() => place.close());
  } finally {
    await site?.close();
  }
  report(plan, result, { recordings, files: segmentsIn(recordings).filter((file) => !before.has(file)) }, options, bar);
}

/** Signals end a collection in order; a second one ends the program at once. */
function whatEndsIt() {
  let told = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (told) process.exit(1);
      told = true;
    });
  }
  return { ending: () => told, now: () => performance.now() };
}

async function startSite(plan: CollectionPlan, options: RecordOptions): Promise<SimulatedSite> {
  const { gap, simulatorSeed, out } = options;
  const words = [
    ...(gap ? ['--gap', ...gap] : []),
    '--seed',
    String(simulatorSeed ?? (plan.exploration.seed % (2 ** 31 - 1)) + 1),
  ];
  return await SimulatedSite.start(resolve(out ?? `collected-${plan.task.task}-${plan.exploration.seed}`), words);
}

/** Where a collection is made: the robot, who lifts it, and how its time passes. */
interface Place {
  readonly parts: Pick<CollectionParts, 'robot' | 'key' | 'lift' | 'pause' | 'patience'>;
  /** folder of the segments, where it is on this machine */
  readonly recordings: string | undefined;
  readonly close: () => void;
}

async function onTheTwin({ simulator, control, operator, recordings }: SimulatedSite): Promise<Place> {
  return {
    parts: { robot: control, key: operator, ...handOf(simulator) },
    recordings,
    close: () => {},
  };
}

async function onTheRobot(options: RecordOptions, bar: ProgressBar): Promise<Place> {
  const key = operatorKey(options);
  const simulator = options.simulator === undefined ? undefined : await SimulatorClient.connect(options.simulator);
  const robot = await connectToRobot(options);
  const person = {
    lift: () =>
      bar.say('Lift the robot, hold it upright and still: it starts after a second. Let go when it balances.\x07'),
    pause: () => new Promise<void>((resolve) => setTimeout(resolve, 1000 * LOOK)),
  };
  return {
    parts: { robot, key, ...(simulator ? handOf(simulator) : person) },
    recordings: speaksOverBroker(options) ? undefined : join(findConfig(options).stateDirectory, 'recordings'),
    close: () => {
      robot.close();
      simulator?.close();
    },
  };
}

/** The simulator's own hand, and its time. */
const handOf = (simulator: SimulatorClient) => ({
  lift: async () => {
    await simulator.request('lift');
  },
  pause: () => simulator.wait(LOOK),
  patience: LIFT_PATIENCE,
});

const segmentsIn = (folder: string | undefined): string[] =>
  folder === undefined || !existsSync(folder)
    ? []
    : readdirSync(folder)
        .filter((name) => name.endsWith('.mcap'))
        .sort();

async function freeBytes(folder: string | undefined): Promise<number | undefined> {
  if (folder === undefined) return undefined;
  const found = await statfs(folder).catch(() => undefined);
  return found && found.bavail * found.bsize;
}

function report(
  { task, exploration }: CollectionPlan,
  result: CollectionResult,
  where: { recordings: string | undefined; files: readonly string[] },
  options: RecordOptions,
  bar: ProgressBar,
): void {
  const { ended, why, transitions, episodes, falls } = result;
  const words = `${transitions} transitions in ${episodes} episodes, ${falls} falls${where.recordings ? `, in ${where.recordings}` : ''}`;
  bar.say(words);
  const { ok, ...rest } = result;
  const { task: name, ...controller } = task;
  if (options.json) sayJson({ ok, task: name, ...controller, exploration, ...rest, ...where });
  else if (ok) say(words);
  if (ok) return;
  throw new EdgeError(
    'collectionEnded',
    `the collection ended early (${ended}): ${why}`,
    REMEDIES[ended] ?? 'see `h2o-edge status`',
  );
}

const REMEDIES: Readonly<Record<string, string>> = {
  done: 'see the log of the gateway; `h2o-edge dataset verify` counts what is there',
  interrupted: 'what was collected stays; collect the rest with another --seed',
  estop: 'make the place safe, `h2o-edge reset`, and collect the rest with another --seed',
  stopped: 'see `h2o-edge audit show` for who it was; collect the rest with another --seed',
  'mode-changed': 'see `h2o-edge audit show` for who it was',
  fault: 'see `h2o-edge status` for what is wrong',
  refused: 'see `h2o-edge status`',
  'disk-full': 'make room, or record elsewhere',
  'recorder-lost': 'start the gateway: `h2o-edge run` does',
  'control-lost': 'see its log; a robot that nobody watches holds where it is, and starts disarmed',
};
