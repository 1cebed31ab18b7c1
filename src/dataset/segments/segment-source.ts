import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { EdgeError, messageOf } from '../../errors.ts';
import { decodeRow, ROW_BYTES, type Row } from '../../messages/row.ts';
import { bootText, parseEvent } from '../../recording/channels.ts';
import { bySequence, isSegment, SEALED } from '../../recording/segment-name.ts';
import { SegmentReader } from '../../recording/segment-reader.ts';
import { loadRobot } from '../../robot/robot.ts';
import type { TaskName } from '../../robot/tasks/task.ts';
import { taskNames } from '../../robot/tasks/tasks.ts';
import type { TransitionSource } from '../source.ts';
import type { Json, Provenance, Transitions } from '../transitions.ts';
import { EpisodeCutter, ROW_SHAPE, type RowCounts } from './episode-cutter.ts';

export interface SegmentOptions {
  /** which task; needed where rows of both are recorded */
  readonly task?: TaskName | undefined;
  /** robot file: torque of an action of 1 */
  readonly robot?: string | undefined;
  /** frames that one transition spans */
  readonly hold?: number | undefined;
  /** decisions per second, in place of `hold` [Hz] */
  readonly rate?: number | undefined;
  readonly onlyClean?: boolean | undefined;
}

/** What the first rows of a running robot say. */
interface Survey {
  readonly files: readonly string[];
  readonly bytes: number;
  readonly task: TaskName;
  readonly sensorRate: number;
}

/**
 * The segments of a folder, or one segment, as transitions. What is damaged is read up to the damage, and said.
 * @throws EdgeError `fileUnreadable`, `datasetInvalid` when there is no row of a running robot, `usage`
 */
export async function openSegments(path: string, options: SegmentOptions = {}): Promise<TransitionSource> {
  const files = await segmentsAt(path);
  const survey = await surveyOf(path, files, options.task);
  const hold = holdOf(options, survey.sensorRate);
  return new SegmentSource(path, survey, { ...options, hold });
}

class SegmentSource implements TransitionSource {
  readonly path: string;
  readonly format = 'segments';
  readonly shape = ROW_SHAPE;
  readonly rowsAtMost: number;
  readonly warnings: string[] = [];
  readonly #survey: Survey;
  readonly #hold: number;
  readonly #onlyClean: boolean;
  readonly #taskGiven: boolean;
  readonly #robot: { name: string; torqueScale: number };
  #counts: RowCounts | undefined;
  #origin = new Origin();

  constructor(path: string, survey: Survey, options: SegmentOptions & { hold: number }) {
    this.path = path;
    this.#survey = survey;
    this.#hold = options.hold;
    this.#onlyClean = options.onlyClean ?? false;
    this.#taskGiven = options.task !== undefined;
    const robot = loadRobot(options.robot ?? 'wheel-legged');
    this.#robot = { name: robot.name, torqueScale: robot.policy.torqueScale };
    this.rowsAtMost = Math.ceil(survey.bytes / ROW_BYTES);
  }

  get provenance(): Provenance {
    const { task, sensorRate } = this.#survey;
    return {
      task,
      rate: sensorRate / this.#hold,
      torqueScale: this.#robot.torqueScale,
      observationNames: ['x', 'v', 'pitch', 'pitch_rate'],
      actionNames: ['wheel_torque'],
      source: 'robot recording',
      robotModel: this.#robot.name,
      sensorRate,
      hold: this.#hold,
      onlyClean: this.#onlyClean,
      ...this.#origin.described(),
      ...(this.#counts && { rows: { ...this.#counts } }),
    };
  }

  async *batches(): AsyncGenerator<Transitions> {
    const { task, files } = this.#survey;
    const { torqueScale } = this.#robot;
    const cutter = new EpisodeCutter({ task, torqueScale, hold: this.#hold, onlyClean: this.#onlyClean });
    this.#origin = new Origin();
    this.warnings.length = 0;
    for (const file of files) {
      const reader = new SegmentReader(file);
      for await (const messages of reader.chunks()) {
        for (const message of messages) {
          const bytes = reader.rowOf(message);
          const row = bytes && decodeRow(bytes);
          if (row) {
            this.#origin.row(row);
            const batch = cutter.take(row);
            if (batch) yield batch;
            if (cutter.counts.otherTask > 0 && !this.#taskGiven) throw twoTasks(this.path, task, row.task);
          } else if (reader.isRow(message)) this.#warnOnce(file, 'rows of a layout that this program does not know');
          else if (!reader.isTape(message) && parseEvent(message)?.event === 'gap') this.#origin.gaps += 1;
        }
      }
      this.#origin.segment(reader);
      const damage = damageOf(reader);
      if (damage !== undefined) this.#warnOnce(file, `damaged: ${damage}`);
    }
    const rest = cutter.end();
    this.#counts = cutter.counts;
    const { unclean, transitions } = cutter.counts;
    if (unclean > transitions) {
      this.warnings.push(
        `only ${transitions} of ${transitions + unclean} transitions are clean; \`dataset stats\` says what is wrong with the others`,
      );
    }
    if (rest) yield rest;
  }

  #warnOnce(file: string, what: string): void {
    const warning = `${basename(file)}: ${what}`;
    if (this.warnings.includes(warning)) return;
    this.warnings.push(warning);
  }
}

/** What is wrong with a segment; one that is being written, or that a crash left behind, may end anywhere. */
function damageOf({ ending, path }: SegmentReader): string | undefined {
  if (ending === undefined || ending.kind === 'sealed') return undefined;
  return ending.kind === 'damaged' || path.endsWith(SEALED) ? ending.reason : undefined;
}

/** Most values of one key of the segments' metadata that are kept. */
const MOST_VALUES = 16;
/** Keys of the segments' metadata that differ in each of them and say nothing about the data. */
const OWN_KEYS = ['crc32', 'openedWallNs', 'openedMonotonicMs', 'boot', 'repaired'];

/** Where the rows of a recording come from, gathered while they are read. */
class Origin {
  gaps = 0;
  #segments = 0;
  #damaged = 0;
  #firstNs: bigint | undefined;
  #lastNs = 0n;
  readonly #boots = new Set<bigint>();
  readonly #policies = new Set<bigint>();
  readonly #controllers = new Set<string>();
  readonly #metadata = new Map<string, Set<string>>();

  row(row: Row): void {
    if (this.#firstNs === undefined || row.wallNs < this.#firstNs) this.#firstNs = row.wallNs;
    if (row.wallNs > this.#lastNs) this.#lastNs = row.wallNs;
    this.#boots.add(row.boot);
    if (row.robotState !== 'running') return;
    this.#controllers.add(row.controller);
    if (row.policyHash !== 0n) this.#policies.add(row.policyHash);
  }

  segment(reader: SegmentReader): void {
    this.#segments += 1;
    if (damageOf(reader) !== undefined) this.#damaged += 1;
    for (const [key, value] of reader.metadata) {
      if (OWN_KEYS.includes(key)) continue;
      const values = this.#metadata.get(key) ?? new Set();
      if (values.size < MOST_VALUES) values.add(value);
      this.#metadata.set(key, values);
    }
  }

  described(): Record<string, Json> {
    return {
      segments: this.#segments,
      damagedSegments: this.#damaged,
      gaps: this.gaps,
      boots: [...this.#boots].slice(0, MOST_VALUES).map(bootText),
      controllers: [...this.#controllers],
      policies: [...this.#policies].slice(0, MOST_VALUES).map(bootText),
      recorded: Object.fromEntries([...this.#metadata].map(([key, values]) => [key, [...values]])),
      ...(this.#firstNs !== undefined && { from: timeText(this.#firstNs), to: timeText(this.#lastNs) }),
    };
  }
}

/** ISO 8601; a clock that was wrong may hold what no calendar has. */
function timeText(ns: bigint): string {
  const date = new Date(Number(ns / 1_000_000n));
  return Number.isNaN(date.getTime()) ? `${ns} ns since 1970` : date.toISOString();
}

async function segmentsAt(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = await readdir(path);
    return names
      .filter(isSegment)
      .sort(bySequence)
      .map((name) => join(path, name));
  } catch (error) {
    throw new EdgeError('fileUnreadable', `cannot read ${path}: ${messageOf(error)}`, 'name a folder of segments');
  }
}

/** Rows that tell the rate of the sensors. */
const RATE_ROWS = 200;

/** Looks for the first rows of a running robot: their task, if none was asked for, and the rate. */
async function surveyOf(path: string, files: readonly string[], wanted: TaskName | undefined): Promise<Survey> {
  let bytes = 0;
  for (const file of files) bytes += (await stat(file)).size;
  const seen = new Set<TaskName>();
  const dtUs: number[] = [];
  let task = wanted;
  for (const file of files) {
    for await (const row of rowsOf(file)) {
      if (row.robotState !== 'running') continue;
      seen.add(row.task);
      task ??= row.task;
      if (row.task === task) dtUs.push(row.dtUs);
      if (dtUs.length === RATE_ROWS) break;
    }
    if (dtUs.length === RATE_ROWS) break;
  }
  const middle = dtUs.sort((a, b) => a - b)[dtUs.length >> 1];
  if (task === undefined || middle === undefined || middle === 0) {
    const others = seen.size > 0 ? `; it has rows of ${[...seen].join(', ')}` : '';
    throw new EdgeError(
      'datasetInvalid',
      `${path} holds no row of a robot that runs${wanted === undefined ? '' : ` ${wanted}`}${others}`,
      `record some with \`h2o-edge record\`; tasks are ${taskNames.join(', ')}`,
    );
  }
  return { files, bytes, task, sensorRate: Math.round(1e6 / middle) };
}

const twoTasks = (path: string, ...names: readonly TaskName[]): EdgeError =>
  new EdgeError(
    'usage',
    `${path} holds rows of more than one task: ${names.join(', ')}`,
    'say which one with --task; each makes a dataset of its own',
  );

async function* rowsOf(file: string): AsyncGenerator<Row> {
  const reader = new SegmentReader(file);
  for await (const messages of reader.chunks()) {
    for (const message of messages) {
      const bytes = reader.rowOf(message);
      const row = bytes && decodeRow(bytes);
      if (row) yield row;
    }
  }
}

function holdOf({ hold, rate }: SegmentOptions, sensorRate: number): number {
  if (hold !== undefined && rate !== undefined) {
    throw new EdgeError('usage', 'both --hold and --rate are given', 'they say the same; give one of them');
  }
  if (hold !== undefined) {
    if (Number.isSafeInteger(hold) && hold >= 1) return hold;
    throw new EdgeError('usage', `--hold is not a whole number of frames: ${hold}`, 'give 1 or more');
  }
  if (rate === undefined) return 1;
  const frames = sensorRate / rate;
  if (Number.isFinite(frames) && frames >= 1 && Math.abs(frames - Math.round(frames)) < 1e-6) return Math.round(frames);
  throw new EdgeError(
    'usage',
    `--rate ${rate} Hz does not divide the ${sensorRate} Hz of the recording`,
    `give ${sensorRate}, ${sensorRate / 2} or another ${sensorRate}/k`,
  );
}
