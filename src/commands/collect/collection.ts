import type { KeyObject } from 'node:crypto';
import { EdgeError, messageOf } from '../../errors.ts';
import type { Exploration } from '../../messages/exploration.ts';
import type { ArmedMode } from '../../messages/mode.ts';
import type { Status } from '../../messages/status.ts';
import { Heartbeat } from '../heartbeat.ts';
import type { RobotClient } from '../robot-client.ts';
import { type Ended, EpisodeKeeper, type Step } from './episode-keeper.ts';

/** What is to be collected. */
export interface CollectionPlan {
  readonly task: Omit<ArmedMode, 'exploration'>;
  readonly exploration: Omit<Exploration, 'episode'>;
  /** rows on which the controller explores; from `minutes` by the rate of the sensor frames, if not given */
  readonly transitions?: number;
  readonly minutes?: number;
}

export interface CollectionParts {
  readonly robot: RobotClient;
  /** the operator's: every start is signed anew */
  readonly key: KeyObject;
  /** somebody lifts the robot, or is asked to; it is armed once it is held upright */
  readonly lift: () => Promise<void> | void;
  /** a fifth of a second of the robot's time: from one look, and one heartbeat, to the next */
  readonly pause: () => Promise<void>;
  /** looks after a lift; default: as long as it takes */
  readonly patience?: number;
  /** somebody here wants it to end */
  readonly told: () => boolean;
  /** at the end: leave it standing under the balancer, or let it down */
  readonly atTheEnd: 'stand' | 'disarm';
  readonly onProgress: (progress: Progress) => void;
  /** monotonic [ms] */
  readonly now: () => number;
}

export interface Progress {
  readonly phase: string;
  readonly transitions: number;
  readonly goal: number;
  readonly episodes: number;
  readonly falls: number;
  readonly lifts: number;
  /** share of the cells of `Coverage` that have been visited */
  readonly coverage: number;
  /** rows that did not make it to the disk */
  readonly rowsLost: number;
  /** transitions a second, on the clock of whoever waits */
  readonly rate: number;
  /** why it does not start, in the robot's words */
  readonly refusal: string;
}

export interface CollectionResult {
  readonly ok: boolean;
  readonly ended: Ended;
  readonly why: string;
  readonly transitions: number;
  readonly episodes: number;
  readonly falls: number;
  readonly lifts: number;
  readonly coverage: number;
  readonly rowsLost: number;
  /** of the robot's time, in transitions [s] */
  readonly seconds: number;
  /** all rows that control had made by the end were acknowledged */
  readonly onDisk: boolean;
}

/** Without a row on disk for this long nobody records [ms]. */
const RECORDER_PATIENCE = 20_000;
/** How long the recorder may take with the last rows [ms]. */
const LAST_ROWS_PATIENCE = 10_000;

/** A collection under way: looks at the robot five times a second and does what `EpisodeKeeper` says. */
export class Collection {
  readonly #plan: CollectionPlan;
  readonly #parts: CollectionParts;
  readonly #keeper: EpisodeKeeper;
  #heartbeat = new Heartbeat();
  #latest: Status | undefined;
  #before: Status['counters'] = {};
  #goal = Number.POSITIVE_INFINITY;
  #refusal = '';
  #began = 0;
  #acknowledged = -1;
  #acknowledgedAt = 0;

  constructor(plan: CollectionPlan, parts: CollectionParts) {
    this.#plan = plan;
    this.#parts = parts;
    this.#keeper = new EpisodeKeeper(plan.task, { ...plan.exploration, episode: 0 }, parts.patience);
  }

  /** Ends when the goal is reached, or for another reason; it says which and never throws an EdgeError. */
  async run(): Promise<CollectionResult> {
    const { now } = this.#parts;
    this.#began = now();
    let end: Extract<Step, { do: 'end' }>;
    try {
      end = await this.#collect();
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error;
      end = { do: 'end', ended: 'control-lost', why: messageOf(error) };
    }
    const onDisk = await this.#leave(end.ended);
    const { episodes, falls, lifts } = this.#keeper;
    const transitions = this.#counted('collection.transitions');
    const ok = end.ended === 'done' && onDisk;
    return {
      ok,
      ended: end.ended,
      why: end.ended === 'done' && !onDisk ? 'the last rows were not acknowledged by the recorder' : end.why,
      transitions,
      episodes,
      falls,
      lifts,
      coverage: this.#coverage,
      rowsLost: this.#counted('rows.lost'),
      seconds: transitions / (this.#latest?.mcu.sensorRate ?? Number.POSITIVE_INFINITY),
      onDisk,
    };
  }

  async #collect(): Promise<Extract<Step, { do: 'end' }>> {
    const { robot, key, told, pause } = this.#parts;
    // Rows must go somewhere before the robot makes any.
    await robot.command({ name: 'record', recording: true }, key);
    for (;;) {
      const status = await this.#look();
      if (told()) return { do: 'end', ended: 'interrupted', why: 'interrupted here' };
      const step = await this.#do(this.#keeper.look(status));
      if (step.do === 'end') return step;
      if (this.#counted('collection.transitions') >= this.#goal) return { do: 'end', ended: 'done', why: '' };
      if (this.#recorderIsLost(status)) {
        return { do: 'end', ended: 'recorder-lost', why: 'nobody records: no row has been acknowledged for a while' };
      }
      this.#tell();
      await pause();
    }
  }

  async #look(): Promise<Status> {
    const { robot } = this.#parts;
    if (this.#keeper.isRunning) this.#heartbeat.beat(robot);
    const status = await robot.status();
    if (!this.#latest) this.#before = status.counters;
    // The motor controller says its rate when it greets, which may be a moment after control is up.
    const { transitions, minutes = 0 } = this.#plan;
    const { sensorRate } = status.mcu;
    if (transitions !== undefined) this.#goal = transitions;
    else if (sensorRate !== null) this.#goal = Math.ceil(minutes * 60 * sensorRate);
    this.#latest = status;
    return status;
  }

  async #do(step: Step): Promise<Step> {
    const { robot, key, lift } = this.#parts;
    if (step.do === 'lift') {
      await lift();
      this.#keeper.lifted();
    } else if (step.do === 'disarm') {
      await robot.disarm();
      this.#keeper.disarmed();
    } else if (step.do === 'arm') {
      this.#heartbeat = new Heartbeat();
      const { mode, orders } = step;
      try {
        await robot.command({ name: 'mode', mode, session: this.#heartbeat.session, orders }, key);
      } catch (error) {
        if (!(error instanceof EdgeError) || error.codeName !== 'requestRefused') throw error;
        this.#refusal = error.message;
        const next = this.#keeper.refused(codeIn(error.message));
        return next.do === 'end' && next.ended === 'refused' ? { ...next, why: error.message } : next;
      }
      this.#refusal = '';
      this.#keeper.armed();
      this.#heartbeat.beat(robot);
    }
    return step;
  }

  #recorderIsLost({ counters }: Status): boolean {
    const now = this.#parts.now();
    const acknowledged = counters['rows.acknowledged'] ?? 0;
    if (acknowledged !== this.#acknowledged) {
      this.#acknowledged = acknowledged;
      this.#acknowledgedAt = now;
    }
    return now - this.#acknowledgedAt > RECORDER_PATIENCE;
  }

  /**
   * Leaves the robot as it is wished, if it still does what this collection asked for; what others have asked for is theirs.
   * @returns whether the recorder has everything
   */
  async #leave(ended: Ended): Promise<boolean> {
    if (ended === 'control-lost') return false;
    const { pause, now } = this.#parts;
    try {
      const status = await this.#look();
      // Stopped by somebody else meanwhile: then it stays so.
      if (this.#keeper.holds(status)) await this.#letGo(status);
      const { counters } = await this.#look();
      const made = counters['rows.made'] ?? 0;
      const began = now();
      for (;;) {
        const { counters } = await this.#look();
        // Rows that were lost are not on disk, and nobody waits for them.
        if ((counters['rows.acknowledged'] ?? 0) + (counters['rows.lost'] ?? 0) >= made) return true;
        if (now() - began > LAST_ROWS_PATIENCE) return false;
        await pause();
      }
    } catch (error) {
      if (error instanceof EdgeError) return false;
      throw error;
    }
  }

  async #letGo(status: Status): Promise<void> {
    const { robot, key, atTheEnd } = this.#parts;
    if (atTheEnd === 'stand') {
      try {
        const mode = { task: 'standing-still', controller: 'balancer' } as const;
        await robot.command({ name: 'mode', mode, orders: status.counters.orders ?? 0 }, key);
        return;
      } catch (error) {
        // One that cannot be told to stand is let down: a robot that nobody watches must not explore.
        if (!(error instanceof EdgeError)) throw error;
      }
    }
    await robot.disarm();
  }

  #counted(name: string): number {
    return (this.#latest?.counters[name] ?? 0) - (this.#before[name] ?? 0);
  }

  get #coverage(): number {
    const { 'collection.cells': cells = 0, 'collection.cellsInAll': all = 1 } = this.#latest?.counters ?? {};
    return this.#keeper.episodes === 0 ? 0 : cells / all;
  }

  #tell(): void {
    const { onProgress, now } = this.#parts;
    const { phase, episodes, falls, lifts } = this.#keeper;
    const transitions = this.#counted('collection.transitions');
    onProgress({
      phase,
      transitions,
      goal: this.#goal,
      episodes,
      falls,
      lifts,
      coverage: this.#coverage,
      rowsLost: this.#counted('rows.lost'),
      rate: (1000 * transitions) / Math.max(1, now() - this.#began),
      refusal: this.#refusal,
    });
  }
}

/** The refusal's code stands in brackets behind the words. */
const codeIn = (message: string): string => /\(([^()]*)\)$/.exec(message)?.[1] ?? message;
