import { type Command, Option } from 'commander';
import { EdgeError } from '../../errors.ts';
import { complain, say, sayJson } from '../output.ts';
import { withSimulation } from '../robot-sim.ts';
import { demoPolicies } from './demo-policies.ts';
import { live } from './screen.ts';
import { Stage } from './stage.ts';

interface DemoOptions {
  scenario?: 'smoke' | 'loop';
  minutes?: number;
  keep?: boolean;
  seconds?: number;
  json?: boolean;
  broker?: string;
  gap?: string[];
  seed?: number;
  rate?: number;
  baud?: number;
  playback?: string;
  pace?: 'real' | 'lockstep';
  policy?: string[];
  releaseKey?: string;
}

/** Shorter than this the smoke scenario cannot do all it has to. */
const SHORTEST_SMOKE = 20;
/** Shorter than this the loop does not come round [min]. */
const SHORTEST_LOOP = 3;

export function registerDemo(program: Command): void {
  withSimulation(program.command('demo'))
    .description('a simulated robot with its whole control process, on real serial bytes')
    .addOption(new Option('--scenario <name>', 'run through a scenario and end').choices(['smoke', 'loop']))
    .addOption(
      new Option(
        '--minutes <n>',
        'with --scenario loop: the most that it may take; less time, less data and training (default: 10)',
      ).argParser(Number),
    )
    .option('--keep', 'with --scenario loop: the folder with recordings, trainer and policies stays')
    .addOption(new Option('--seconds <n>', 'simulated time after which it ends').argParser(Number))
    .option('--broker <url>', 'an MQTT broker that runs already, in place of the embedded one')
    .option('--policy <folder...>', 'bundles that the robot runs in place of those that ship, one for each task')
    .option('--release-key <file>', 'public key of who signed them; default: the demo key of the shipped bundles')
    .option('--json', 'print one JSON object as the last line')
    .action(demo);
}

async function demo(options: DemoOptions): Promise<void> {
  const { scenario, playback: log, seconds } = options;
  if (seconds !== undefined && !(seconds > 0)) {
    throw new EdgeError('usage', `--seconds ${seconds}`, 'give a number above 0');
  }
  if (scenario === 'smoke' && (seconds ?? 60) < SHORTEST_SMOKE) {
    throw new EdgeError(
      'usage',
      `--seconds ${seconds} is too short for the smoke scenario`,
      `give ${SHORTEST_SMOKE} or more`,
    );
  }
  if (scenario === 'loop') {
    await closeTheLoop(options);
    return;
  }
  if (options.minutes !== undefined || options.keep) {
    throw new EdgeError('usage', '--minutes and --keep mean nothing here', 'they go with --scenario loop');
  }
  // A log has no body that could fall, so it need not keep real time.
  const pace = options.pace ?? (log === undefined ? 'real' : 'lockstep');
  const stage = await Stage.set({
    pace,
    simulatorWords: simulatorWords(options),
    broker: options.broker,
    policies: await demoPolicies(options.policy, options.releaseKey),
    // What a playback shows is compared row by row, here.
    takesRows: log !== undefined,
  });
  try {
    await Promise.race([perform(stage, options), stage.broken]);
  } finally {
    await stage.strike();
  }
}

async function closeTheLoop(options: DemoOptions): Promise<void> {
  const { minutes = 10, gap: gaps = ['twin-d-less-askew'], seed = 1, broker, keep = false } = options;
  const stray = (['seconds', 'rate', 'baud', 'playback', 'pace', 'policy', 'releaseKey'] as const).filter(
    (name) => options[name] !== undefined,
  );
  if (stray.length > 0) {
    throw new EdgeError('usage', `--${stray[0]} means nothing with --scenario loop`, 'leave it out');
  }
  if (!(minutes >= SHORTEST_LOOP)) {
    throw new EdgeError('usage', `--minutes ${minutes}`, `the loop takes ${SHORTEST_LOOP} or more`);
  }
  // Only here: nothing that learns is installed on a robot.
  const { loop } = await import('./loop/loop.ts');
  finish(await loop({ minutes, gaps, seed, broker, keep }, options.json ? complain : say), options);
}

async function perform(stage: Stage, options: DemoOptions): Promise<void> {
  const tell = options.json ? complain : say;
  if (options.playback !== undefined) {
    const { playback } = await import('./playback.ts');
    finish(await playback(stage, options.playback, tell), options);
  } else if (options.scenario === 'smoke') {
    const { smoke } = await import('./smoke.ts');
    finish(await smoke(stage, options.seconds ?? 60, tell), options);
  } else {
    const result = await live(stage, options.seconds);
    if (options.json) sayJson(result);
  }
}

function finish(result: { ok: boolean; problems: readonly string[] }, options: DemoOptions): void {
  if (options.json) sayJson(result);
  else say(JSON.stringify(result, null, 2));
  if (!result.ok) {
    throw new EdgeError(
      'scenarioFailed',
      `the scenario failed: ${result.problems.join('; ')}`,
      'see the numbers above',
    );
  }
}

function simulatorWords({ gap, seed, rate, baud, playback }: DemoOptions): string[] {
  const words: string[] = [];
  if (gap) words.push('--gap', ...gap);
  for (const [name, value] of Object.entries({ seed, rate, baud, playback })) {
    if (value !== undefined) words.push(`--${name}`, String(value));
  }
  return words;
}
