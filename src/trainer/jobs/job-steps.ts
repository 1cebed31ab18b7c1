import { existsSync, readFileSync } from 'node:fs';
import { copyFile, link, mkdir, rename, rm, statfs } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { EdgeError, messageOf } from '../../errors.ts';
import { readMetrics, summarise } from '../../learning/training/curves.ts';
import type { GateVerdict } from '../../messages/mqtt-trainer.ts';
import type { GateEvaluation, TrainerConfig } from '../config.ts';
import { type DurableFiles, PARTIAL, syncFolder } from '../durable-files.ts';
import type { OfferBook } from '../publishing/offer-book.ts';
import type { PolicyShelf } from '../publishing/policy-shelf.ts';
import { releasePolicy } from '../publishing/release.ts';
import type { Stock } from '../stock.ts';
import { runChild } from './child.ts';
import { judge, type Measured, type Scores, scoresOf } from './gate.ts';
import type { JobBook } from './job-book.ts';
import type { JobRecord } from './job-record.ts';
import type { JobSteps } from './job-worker.ts';
import { endOrphan, noteChild } from './orphan.ts';

export interface RealStepsOptions {
  readonly config: TrainerConfig;
  readonly files: DurableFiles;
  readonly book: JobBook;
  readonly stock: Stock;
  readonly shelf: PolicyShelf;
  readonly offers: OfferBook;
  /** what runs the command line: node and its script */
  readonly program: readonly [string, ...string[]];
  readonly onLine: (line: string) => void;
  readonly now: () => number;
}

const DATA = 'data';
const RUN = 'run';

/** The steps of a job by the commands that a person would give: `train`, `evaluate`. */
export class RealSteps implements JobSteps {
  readonly #options: RealStepsOptions;

  constructor(options: RealStepsOptions) {
    this.#options = options;
  }

  /** The data of a job are its own links: what comes in meanwhile is for the next one, and going on needs the same numbers. */
  async prepare(job: JobRecord): Promise<void> {
    const { book, stock, config } = this.#options;
    await this.#wantRoom();
    const folder = join(book.folder(job.id), DATA);
    if (existsSync(folder)) return;
    const partial = `${folder}${PARTIAL}`;
    const here = new Map(stock.list(job.task).map((segment) => [segment.sha256, segment]));
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    for (const { sha256, file } of book.segmentsOf(job.id)) {
      const segment = here.get(sha256);
      if (!segment) {
        throw new EdgeError(
          'trainingInvalid',
          `the segment ${file} (${sha256.slice(0, 12)}…) is gone from ${config.directory}`,
          'order the training anew with what there is',
        );
      }
      await link(segment.path, join(partial, file)).catch((error: unknown) => {
        // Another file system, or one that has no links.
        if (error instanceof Error && 'code' in error && ['EXDEV', 'EPERM', 'EMLINK'].includes(String(error.code))) {
          return copyFile(segment.path, join(partial, file));
        }
        throw error;
      });
    }
    syncFolder(partial);
    await rename(partial, folder);
    syncFolder(dirname(folder));
  }

  async train(job: JobRecord, stop: AbortSignal): Promise<{ trained: string; steps: number }> {
    const { book, files, program, onLine } = this.#options;
    await this.#wantRoom();
    const folder = book.folder(job.id);
    const run = join(folder, RUN);
    await endOrphan(files, folder);
    const begun = existsSync(join(run, 'config.yaml'));
    // Killed before there was anything to go on from.
    if (!begun) await rm(run, { recursive: true, force: true });
    const said = await runChild({
      program,
      words: ['train', ...(begun ? ['--resume', run] : this.#wordsOf(job, folder, run)), ...versionOf(job), '--json'],
      stop,
      onLine,
      onPid: (pid) => noteChild(files, folder, pid),
    });
    const policies = Array.isArray(said.policies) ? said.policies.map(String) : [];
    const best = this.#bestOf(run, job, policies);
    if (best === undefined) {
      throw new EdgeError('trainingInvalid', `${job.id}: the run wrote no policy`, 'look into its folder');
    }
    return { trained: relative(folder, best), steps: typeof said.steps === 'number' ? said.steps : 0 };
  }

  async evaluate(job: JobRecord, stop: AbortSignal): Promise<GateVerdict> {
    const { book, shelf, files } = this.#options;
    const { gate } = job.settings;
    const folder = book.folder(job.id);
    await endOrphan(files, folder);
    const candidate = join(folder, job.trained ?? RUN);
    const before = shelf.newest(job.policy.id)?.folder ?? (gate.baseline === '' ? undefined : gate.baseline);
    const measured: Measured[] = [];
    for (const evaluation of gate.evaluations) {
      const policy = await this.#measure(candidate, job, evaluation, stop);
      const compared = before !== undefined && gate.notWorseIn.length > 0;
      const previous = compared ? await this.#measure(before, job, evaluation, stop) : null;
      measured.push({ policy, previous });
    }
    return judge(gate, measured);
  }

  async release(job: JobRecord): Promise<string> {
    const { book, shelf, files, config, now } = this.#options;
    return releasePolicy({
      job,
      trained: join(book.folder(job.id), job.trained ?? RUN),
      segments: book.segmentsOf(job.id),
      trainer: config.id,
      keyFile: config.releaseKey,
      shelf,
      files,
      now: now(),
    });
  }

  async offer(job: JobRecord): Promise<readonly string[]> {
    const { config, offers } = this.#options;
    const robots = config.offerTo.length > 0 ? config.offerTo : job.data.robots;
    offers.set(job.policy, robots);
    return robots;
  }

  async tidy(job: JobRecord): Promise<void> {
    const { book, config } = this.#options;
    const remove = (id: string, name: string) => rm(join(book.folder(id), name), { recursive: true, force: true });
    await remove(job.id, DATA);
    await remove(job.id, `${DATA}${PARTIAL}`);
    const ended = book.records.filter(({ end }) => end !== null);
    for (const { id } of ended.slice(0, Math.max(0, ended.length - config.limits.keepRuns))) await remove(id, RUN);
  }

  #wordsOf({ task, settings, robot, seed }: JobRecord, folder: string, run: string): string[] {
    const list = (option: string, values: readonly string[]) => (values.length > 0 ? [option, ...values] : []);
    const number = (option: string, value: number | undefined) => (value === undefined ? [] : [option, String(value)]);
    return [
      ...['--task', task, '--algorithm', settings.algorithm, '--recipe', settings.recipe, '--robot', robot],
      ...['--seed', String(seed), '--seeds', String(settings.seeds), '--out', run],
      ...(settings.algorithm === 'sac' ? [] : ['--dataset', join(folder, DATA)]),
      ...number('--steps', settings.steps),
      ...number('--checkpoint-every', settings.checkpointEvery),
      ...list('--gap', settings.gaps),
      ...list('--set', settings.set),
    ];
  }

  /** Of several seeds the one with the best mean of its last evaluations: the gate judges it on other seeds. */
  #bestOf(run: string, job: JobRecord, policies: readonly string[]): string | undefined {
    if (policies.length < 2) return policies[0];
    const seeds = summarise(readMetrics(join(run, 'metrics.jsonl')));
    const best = seeds.toSorted((a, b) => b.meanReturn - a.meanReturn)[0];
    return policies[(best?.seed ?? job.seed) - job.seed];
  }

  async #measure(
    policy: string,
    { task, robot, id }: JobRecord,
    { dynamics, gaps, seeds, seconds }: GateEvaluation,
    stop: AbortSignal,
  ): Promise<Scores> {
    const { program, book, files, onLine } = this.#options;
    const json = await runChild({
      program,
      words: [
        ...['evaluate', policy, '--task', task, '--robot', robot, '--dynamics', dynamics, '--json'],
        ...['--seeds', String(seeds), '--seconds', String(seconds)],
        ...(gaps.length > 0 ? ['--gap', ...gaps] : []),
      ],
      stop,
      onLine,
      onPid: (pid) => noteChild(files, book.folder(id), pid),
    });
    return scoresOf(json);
  }

  /** @throws EdgeError `jobInterrupted` */
  async #wantRoom(): Promise<void> {
    const { directory, limits } = this.#options.config;
    const { bavail, bsize } = await statfs(directory);
    const free = (bavail * bsize) / 1e6;
    if (free >= limits.leaveFreeMegabytes) return;
    throw new EdgeError(
      'jobInterrupted',
      `only ${free.toFixed(0)} MB are free in ${directory}, wanted are ${limits.leaveFreeMegabytes}`,
      'make room; it goes on by itself',
    );
  }
}

const versionOf = ({ policy }: JobRecord) => ['--policy-version', String(policy.version)];

/** How far a run has come, from the end of its metrics. */
export function progressOf(run: string): { step: number; losses: Record<string, number | null> } {
  try {
    const text = readFileSync(join(run, RUN, 'metrics.jsonl'), 'utf8').trimEnd();
    const lines = text.slice(-16_384).split('\n');
    for (const line of lines.reverse()) {
      const { kind, step, seed: _, ...rest } = JSON.parse(line) as Record<string, unknown>;
      if (kind !== 'training' || typeof step !== 'number') continue;
      const losses = Object.entries(rest).filter(([, value]) => typeof value === 'number' || value === null);
      return { step, losses: Object.fromEntries(losses) as Record<string, number | null> };
    }
  } catch (error) {
    // A line that is half written, or no run yet.
    void messageOf(error);
  }
  return { step: 0, losses: {} };
}
