import type { Mode } from '../../messages/mode.ts';
import { decodeRow, type Row } from '../../messages/row.ts';
import { readRecords, type TapedAnswer, type TapedRun, type TapeRecord } from '../../messages/tape.ts';
import type { TapeBlock } from '../../messages/tape-block.ts';
import { TapeDamage } from '../../messages/tape-bytes.ts';
import type { Robot } from '../../robot/robot.ts';
import type { PolicyRunner } from '../controllers/policy-runner.ts';
import { withPolicy } from '../tape/describe-run.ts';
import { decodeSnapshot, type Snapshot } from '../tape/snapshot.ts';
import type { Actuated } from '../tick.ts';
import { policyKey } from './bundles.ts';
import { type Mismatch, mismatchOfCommand, mismatchOfOrder, mismatchOfRow } from './mismatch.ts';
import { Replayer } from './replayer.ts';

/** Part of a run that could not be replayed. */
export interface Skipped {
  readonly reason: string;
  /** of its first and last sensor frame */
  readonly from: number;
  to: number;
  frames: number;
}

export interface ReplayRunOptions {
  readonly boot: bigint;
  /** version of this program; what the loop remembers, only the same version understands */
  readonly revision: string;
  /** in place of the robot that the tape describes */
  readonly robot?: Robot | undefined;
  /** policies at hand, by `policyKey` */
  readonly policies: ReadonlyMap<string, PolicyRunner>;
  /** takes the place of whatever was in charge of its task */
  readonly instead?: PolicyRunner | undefined;
  /** each frame, once it is answered */
  readonly onTick?: ((tick: Actuated) => void) | undefined;
}

/** Rows are compared with what is computed when both are there; neither waits longer than this many frames. */
const LONGEST_WAIT = 4096;

/** One run of control, replayed from what is left of its tape, and held against its rows. */
export class ReplayRun {
  readonly counters = {
    /** sensor frames on the tape */
    frames: 0,
    /** commands that were computed again and held against those that were sent */
    commands: 0,
    /** of these, with another byte than the one sent */
    commandsDifferent: 0,
    /** rows that were computed again and held against those recorded */
    rows: 0,
    rowsDifferent: 0,
    /** rows without tape, or of a part that was skipped */
    rowsNotReplayed: 0,
    ordersRefused: 0,
    /** blocks of the tape that are no such thing, although the file is as it was written */
    blocksUnreadable: 0,
  };
  first: Mismatch | undefined;
  readonly skipped: Skipped[] = [];
  run: TapedRun | undefined;
  readonly #options: ReplayRunOptions;
  readonly #recorded = new Map<bigint, Uint8Array>();
  readonly #computed = new Map<bigint, Row>();
  #replayer: Replayer | undefined;
  /** number of the block that comes next */
  #next = 0n;
  #why = '';

  constructor(options: ReplayRunOptions) {
    this.#options = options;
  }

  /** Blocks come in the order of their numbers; one that came already is left aside. */
  async block({ number, records }: TapeBlock): Promise<void> {
    if (number < this.#next) return;
    if (number > this.#next) {
      await this.#stop(
        this.#next === 0n
          ? 'the recording begins in the middle of a run: name the segments before it as well'
          : number === this.#next + 1n
            ? `block ${this.#next} of the tape is missing`
            : `blocks ${this.#next} to ${number - 1n} of the tape are missing`,
      );
    }
    this.#next = number + 1n;
    let parsed: TapeRecord[];
    try {
      parsed = [...readRecords(records)].map((record) => this.#rewritten(record));
    } catch (error) {
      if (!(error instanceof TapeDamage) && !(error instanceof RangeError)) throw error;
      await this.#unreadable(number, error);
      return;
    }
    for (const record of parsed) if (record.is === 'chunk') this.counters.frames += record.frames.length;
    if (!this.#replayer) this.#begin(parsed);
    const missing = this.#missingPolicy(parsed);
    if (missing !== undefined) await this.#stop(missing);
    try {
      await this.#replayer?.feed(parsed);
    } catch (error) {
      if (!(error instanceof TapeDamage)) throw error;
      await this.#unreadable(number, error);
    }
    if (!this.#replayer) this.#skip(parsed);
  }

  /** One encoded row of this run. */
  row(bytes: Uint8Array): void {
    const sequence = decodeRow(bytes)?.sequence;
    if (sequence === undefined) return;
    const computed = this.#computed.get(sequence);
    if (computed) {
      this.#computed.delete(sequence);
      this.#compare(computed, bytes);
      return;
    }
    this.#recorded.set(sequence, bytes.slice());
    const [oldest] = this.#recorded.keys();
    if (this.#recorded.size <= LONGEST_WAIT || oldest === undefined) return;
    this.#recorded.delete(oldest);
    this.counters.rowsNotReplayed += 1;
  }

  async end(): Promise<void> {
    await this.#replayer?.end();
    this.#replayer = undefined;
    this.counters.rowsNotReplayed += this.#recorded.size;
    this.#recorded.clear();
  }

  #begin(records: readonly TapeRecord[]): void {
    const [head] = records;
    const from = head?.is === 'state' ? this.#taken(decodeSnapshot(head.state)) : undefined;
    const run = head?.is === 'run' ? head.run : from?.run;
    if (!run) return;
    this.run = run;
    const { boot, robot, policies, instead, revision } = this.#options;
    if (from && from.run.revision !== revision) {
      this.#why = `its snapshots are of version ${from.run.revision}: name the segments from the beginning of the run`;
      return;
    }
    const missing = from && this.#missingIn(from.memory.controllers.mode);
    if (missing !== undefined) {
      this.#why = missing;
      return;
    }
    this.#why = '';
    const named: Array<readonly [string, PolicyRunner]> = instead ? [[instead.id, instead]] : [];
    const recorded = Object.entries(run.policies).flatMap(([id, hash]) => {
      const policy = policies.get(policyKey(id, hash));
      return policy ? [[id, policy] as const] : [];
    });
    this.#replayer = new Replayer({
      run,
      boot,
      robot: robot ?? robotOf(run),
      from,
      policies: new Map([...recorded, ...named]),
      policyOf: (id, hash) => (id === instead?.id ? instead : policies.get(policyKey(id, hash))),
      onCommand: (tick, command, answer) => this.#command(tick, command, answer),
      onRow: (row) => this.#row(row),
      onRefused: (order, why) => {
        this.counters.ordersRefused += 1;
        this.first ??= mismatchOfOrder(this.#sequence, order, why);
      },
    });
  }

  #sequence = 0;
  /** that of the latest mode; empty if it is disarmed */
  #controller = '';

  #command(tick: Actuated, command: Uint8Array, answer: TapedAnswer | undefined): void {
    this.#sequence = tick.sequence;
    this.#options.onTick?.(tick);
    if (!answer) return;
    this.counters.commands += 1;
    const mismatch = mismatchOfCommand(tick, command, answer.command);
    if (!mismatch) return;
    this.counters.commandsDifferent += 1;
    this.first ??= mismatch;
  }

  #row(row: Row): void {
    const recorded = this.#recorded.get(row.sequence);
    if (recorded) {
      this.#recorded.delete(row.sequence);
      this.#compare(row, recorded);
      return;
    }
    this.#computed.set(row.sequence, row);
    const [oldest] = this.#computed.keys();
    if (this.#computed.size > LONGEST_WAIT && oldest !== undefined) this.#computed.delete(oldest);
  }

  #compare(computed: Row, recorded: Uint8Array): void {
    this.counters.rows += 1;
    const mismatch = mismatchOfRow(computed, recorded);
    if (!mismatch) return;
    this.counters.rowsDifferent += 1;
    this.first ??= mismatch;
  }

  #rewritten(record: TapeRecord): TapeRecord {
    if (record.is !== 'order' || record.order.order !== 'mode') return record;
    return { is: 'order', order: { ...record.order, mode: this.#inCharge(record.order.mode) } };
  }

  /** A snapshot in which the other policy has just begun. */
  #taken(snapshot: Snapshot | undefined): Snapshot | undefined {
    const controllers = snapshot?.memory.controllers;
    if (!snapshot || !controllers?.mode) return snapshot;
    const mode = this.#inCharge(controllers.mode);
    if (mode === controllers.mode || mode.task === 'disarmed') return snapshot;
    const begun = { ...controllers, mode, policy: undefined, framesToDecision: 0 };
    return { ...snapshot, memory: { ...snapshot.memory, controllers: begun } };
  }

  /** With the other policy in charge of its task; a mode with a speed of its own is the balancer's alone. */
  #inCharge(mode: Mode): Mode {
    const { instead } = this.#options;
    if (!instead || mode.task !== instead.task || mode.targetVelocity !== undefined) return mode;
    return { ...mode, controller: instead.id };
  }

  /** A mode was entered whose policy is not at hand. */
  #missingPolicy(records: readonly TapeRecord[]): string | undefined {
    for (const record of records) {
      if (record.is !== 'order') continue;
      const { order } = record;
      if (order.order === 'policy') {
        if (this.run) this.run = withPolicy(this.run, order);
        if (this.#controller !== order.id) continue;
      } else if (order.order === 'mode') this.#controller = order.mode.task === 'disarmed' ? '' : order.mode.controller;
      else continue;
      const missing = this.#replayer && this.#missingPolicyOf(this.#controller);
      if (missing !== undefined) return missing;
    }
    return undefined;
  }

  #missingIn(mode: Mode | undefined): string | undefined {
    this.#controller = mode === undefined || mode.task === 'disarmed' ? '' : mode.controller;
    return this.#controller === '' ? undefined : this.#missingPolicyOf(this.#controller);
  }

  #missingPolicyOf(controller: string): string | undefined {
    const { instead, policies } = this.#options;
    if (controller === 'balancer' || controller === instead?.id) return undefined;
    const hash = this.run?.policies[controller];
    if (hash === undefined || policies.has(policyKey(controller, hash))) return undefined;
    return `the policy ${controller} (sha256 ${hash}…) is not at hand: name its folder with --policies`;
  }

  async #unreadable(number: bigint, error: Error): Promise<void> {
    this.counters.blocksUnreadable += 1;
    await this.#stop(`block ${number} of the tape cannot be read: ${error.message}`);
  }

  async #stop(reason: string): Promise<void> {
    await this.#replayer?.end();
    this.#replayer = undefined;
    this.#why = reason;
  }

  #skip(records: readonly TapeRecord[]): void {
    for (const record of records) {
      if (record.is !== 'chunk') continue;
      for (const { sequence } of record.frames) {
        const last = this.skipped.at(-1);
        if (last && last.reason === this.#why) {
          last.to = sequence;
          last.frames += 1;
        } else this.skipped.push({ reason: this.#why, from: sequence, to: sequence, frames: 1 });
      }
    }
  }
}

/** The robot that a tape describes; where its file lay does not matter to the loop. */
export const robotOf = (run: TapedRun): Robot => ({ ...run.robot, directory: '' }) as unknown as Robot;

/** Numbers that differ between two robots, by their path in the robot file. */
export function robotDifferences(
  recorded: object,
  given: object,
  path = '',
): Array<{ readonly key: string; readonly recorded: unknown; readonly given: unknown }> {
  const others = new Map(Object.entries(given));
  return Object.entries(recorded).flatMap(([name, value]) => {
    const key = path === '' ? name : `${path}.${name}`;
    const other = others.get(name);
    if (typeof value === 'object' && value !== null && typeof other === 'object' && other !== null) {
      return robotDifferences(value, other, key);
    }
    return Object.is(value, other) ? [] : [{ key, recorded: value, given: other }];
  });
}
