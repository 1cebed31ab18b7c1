import { type Command, Option } from 'commander';
import { EdgeError } from '../../errors.ts';
import { POLICY_STAGES, type PolicyStage, type PolicyVersion } from '../../messages/policy-stages.ts';
import { bundleFiles } from '../../policy/bundle.ts';
import { complain, say, sayJson } from '../output.ts';
import { brokerOf, type RobotOptions, withRobot } from '../robot-client.ts';
import { readBundleFile, readManifest, readModelOf } from './bundle-files.ts';
import { notTaken, PolicyOfferer } from './offerer.ts';

interface PushOptions extends RobotOptions {
  until: PolicyStage;
  patience: number;
  json?: boolean;
}

/** Stages that a person may wait for; from then on it is an operator's word. */
const GOALS = ['downloaded', 'verified', 'self-tested', 'replayed', 'eligible'] as const;

export function registerPush(policy: Command): void {
  withRobot(policy.command('push'))
    .description('offer a bundle to a robot over a broker, and send it what it asks for, until the robot has decided')
    .argument('<folder>', 'the bundle')
    .addOption(new Option('--until <stage>', 'how far the robot is to come with it').choices(GOALS).default('verified'))
    .addOption(new Option('--patience <s>', 'how long nothing may happen').argParser(Number).default(60))
    .option('--json', 'print one JSON object as the last line')
    .action(push);
}

async function push(folder: string, options: PushOptions): Promise<void> {
  const { access, robot } = brokerOf(options);
  const { text, manifest } = readManifest(folder);
  const model = readModelOf(folder, manifest);
  const signature = readBundleFile(folder, bundleFiles.signature).toString('utf8');
  const { id, version } = manifest;
  const bar = new TransferLine(process.stderr);
  const reached = await new Promise<PolicyVersion>((resolve, reject) => {
    let problem = 'it has said nothing';
    let timer: NodeJS.Timeout | undefined;
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      void offerer.stop().then(() => {
        bar.end();
        finish();
      });
    };
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => settle(() => reject(notTaken(robot, problem))), options.patience * 1000);
    };
    let refusal: string | undefined;
    const offerer = new PolicyOfferer({
      access,
      robot,
      bundle: { id, version, manifest: text, signature, model, sha256: manifest.model.sha256 },
      onProgress: ({ sent, of }) => {
        alive();
        bar.show(`${id} ${version}: ${sent} of ${of} chunks`, sent / of);
      },
      onVersion: (told) => {
        problem = told.reasons.join('; ') || `it is ${told.stage}`;
        const news = `${told.stage} ${problem}`;
        if (news !== refusal) alive();
        refusal = news;
        bar.show(`${id} ${version}: ${told.stage}`, 1);
        if (told.stage === 'refused' || isThere(told.stage, options.until)) settle(() => resolve(told));
      },
      onProblem: (trouble) => {
        problem = trouble;
        complain(`h2o-edge: ${trouble}; trying again`);
      },
    });
    alive();
    offerer.start();
  });
  const { stage, reasons } = reached;
  const ok = stage !== 'refused';
  if (options.json) sayJson({ ok, id, version, stage, reasons });
  if (!ok) {
    throw new EdgeError(
      'bundleRefused',
      `${robot} refuses ${id} version ${version}:\n  ${reasons.join('\n  ')}`,
      'each reason says what to mend',
    );
  }
  if (!options.json) say(`${robot} has ${id} version ${version}: ${stage}`);
}

const isThere = (stage: PolicyStage, goal: PolicyStage): boolean =>
  POLICY_STAGES.indexOf(stage) >= POLICY_STAGES.indexOf(goal);

const WIDTH = 24;
const LINE_INTERVAL = 5000;

/** How far the sending is: one line that is drawn over on a terminal, else one now and then. */
class TransferLine {
  readonly #out: NodeJS.WriteStream;
  #at = Number.NEGATIVE_INFINITY;
  #drawn = false;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  show(words: string, share: number): void {
    const now = performance.now();
    if (!this.#out.isTTY && now - this.#at < LINE_INTERVAL) return;
    // The first line of a short transfer would be the only one, and say nothing.
    if (!this.#out.isTTY && this.#at === Number.NEGATIVE_INFINITY) {
      this.#at = now;
      return;
    }
    this.#at = now;
    const full = Math.round(share * WIDTH);
    const line = `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${words}`;
    this.#out.write(this.#out.isTTY ? `\r${line.slice(0, this.#out.columns - 1)}\x1b[K` : `${line}\n`);
    this.#drawn = this.#out.isTTY;
  }

  end(): void {
    if (this.#drawn) this.#out.write('\r\x1b[K');
  }
}
