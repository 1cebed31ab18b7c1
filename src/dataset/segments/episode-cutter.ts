import type { Row } from '../../messages/row.ts';
import type { TaskName } from '../../robot/tasks/task.ts';
import { BatchWriter } from '../batch-writer.ts';
import { markBit } from '../marks.ts';
import type { Shape, Transitions } from '../transitions.ts';
import { Fall } from './fall.ts';
import { type Frame, HoldWindow } from './hold-window.ts';
import { marksOfRow } from './mark-row.ts';

/** State of the paper's tasks, and the total torque of both wheels. */
export const ROW_SHAPE: Shape = { observationSize: 4, actionSize: 1, marked: true };

export interface CutterOptions {
  readonly task: TaskName;
  /** torque of an action of 1, total of both wheels [N·m] */
  readonly torqueScale: number;
  /** frames that one transition spans */
  readonly hold: number;
  /** drops every transition that has a mark */
  readonly onlyClean: boolean;
}

/** What became of the rows that were read. */
export interface RowCounts {
  read: number;
  /** rows of a robot that was not running, save for those of a fall */
  notRunning: number;
  /** rows between the end of the torque and the end of a fall */
  falling: number;
  otherTask: number;
  /** a state, reward or torque that is no number */
  nonFinite: number;
  /** a second time in the record */
  repeated: number;
  /** frames that make no whole transition at the rate asked for */
  incomplete: number;
  /** transitions with a mark that were dropped */
  unclean: number;
  transitions: number;
  episodes: number;
  falls: number;
}

/**
 * Cuts the rows of a recording into episodes of transitions. An episode ends at a fall, at a time-out, where rows are
 * missing, and where task, controller, policy, state of the robot or run of `control` change.
 *
 * The action is the torque that the MCU reports as applied between the two samples, in units of the policy's range and
 * clipped to it, as the authors' loader does; the reward keeps the torque as it was (t6-thu/H2Oplus, `_load_data`).
 */
export class EpisodeCutter {
  readonly counts: RowCounts = {
    read: 0,
    notRunning: 0,
    falling: 0,
    otherTask: 0,
    nonFinite: 0,
    repeated: 0,
    incomplete: 0,
    unclean: 0,
    transitions: 0,
    episodes: 0,
    falls: 0,
  };
  readonly #options: CutterOptions;
  readonly #batches = new BatchWriter(ROW_SHAPE);
  readonly #window: HoldWindow;
  readonly #latest = new Map<bigint, bigint>();
  readonly #fall = new Fall();
  /** the latest row that went into the window */
  #before: Row | undefined;
  #inEpisode = false;

  constructor(options: CutterOptions) {
    this.#options = options;
    this.#window = new HoldWindow(options.hold);
  }

  /** @returns a batch that is complete now */
  take(row: Row): Transitions | undefined {
    this.counts.read += 1;
    const latest = this.#latest.get(row.boot);
    if (latest !== undefined && row.sequence <= latest) {
      this.counts.repeated += 1;
      return undefined;
    }
    this.#latest.set(row.boot, row.sequence);
    if (allFinite(row) && this.#fall.take(row, this.#before)) return row.done ? this.#fallen() : undefined;
    this.#noFall();
    if (!this.#wanted(row)) {
      this.break();
      return undefined;
    }
    if (this.#before && !follows(row, this.#before)) this.break();
    this.#before = row;
    return this.#append(this.#frameOf(row));
  }

  /** The fall has come to its end: its rows are the last of the episode. */
  #fallen(): Transitions | undefined {
    const decidedOn = this.#before?.observation ?? [];
    let batch: Transitions | undefined;
    for (const row of this.#fall.end()) {
      this.counts.falling += 1;
      batch = this.#append({ ...this.#frameOf(row), requested: row.commandedTorque, decidedOn }) ?? batch;
    }
    this.break();
    return batch;
  }

  /** What began like a fall was none. */
  #noFall(): void {
    const rows = this.#fall.end();
    if (rows.length === 0) return;
    this.counts.notRunning += rows.length;
    this.break();
  }

  #append(frame: Frame): Transitions | undefined {
    const dropped = this.#window.dropped;
    const transition = this.#window.take(frame);
    // What was given up stood between the transition before it and whatever comes now.
    if (this.#window.dropped !== dropped) this.#breakEpisode();
    if (transition === undefined) return undefined;
    if (this.#options.onlyClean && transition.marks !== 0) {
      this.counts.unclean += 1;
      this.#breakEpisode();
      return undefined;
    }
    const batch = this.#batches.append(transition);
    this.counts.transitions += 1;
    if (!this.#inEpisode) this.counts.episodes += 1;
    this.#inEpisode = !transition.terminal && !transition.timeout;
    if (transition.terminal) this.counts.falls += 1;
    return batch;
  }

  /** Rows are missing here. */
  break(): void {
    this.#before = undefined;
    this.#window.break();
    this.#breakEpisode();
  }

  /** @returns the last batch */
  end(): Transitions | undefined {
    this.#noFall();
    this.break();
    this.counts.incomplete = this.#window.dropped;
    return this.#batches.end();
  }

  #breakEpisode(): void {
    this.#batches.break();
    this.#inEpisode = false;
  }

  #wanted(row: Row): boolean {
    const { counts } = this;
    if (row.robotState !== 'running') counts.notRunning += 1;
    else if (row.task !== this.#options.task) counts.otherTask += 1;
    else if (!allFinite(row)) counts.nonFinite += 1;
    else return true;
    return false;
  }

  #frameOf(row: Row): Frame {
    const action = row.appliedTorque / this.#options.torqueScale;
    return {
      observation: row.state,
      action: [Math.min(1, Math.max(-1, action))],
      reward: row.reward,
      nextObservation: row.nextState,
      terminal: row.done,
      timeout: row.timeout && !row.done,
      marks: marksOfRow(row) | (Math.abs(action) > 1 ? markBit('beyond-action') : 0),
      requested: row.requestedTorque,
      decidedOn: row.observation,
    };
  }
}

/** Whether a row goes on where the one before it ended. */
const follows = (row: Row, before: Row): boolean =>
  row.boot === before.boot &&
  row.sequence === before.sequence + 1n &&
  row.task === before.task &&
  row.controller === before.controller &&
  row.policyHash === before.policyHash &&
  row.episode === before.episode &&
  !before.done;

const allFinite = ({ state, nextState, appliedTorque, reward }: Row): boolean =>
  state.every(Number.isFinite) &&
  nextState.every(Number.isFinite) &&
  Number.isFinite(appliedTorque) &&
  Number.isFinite(reward);
