import {
  beginChunk,
  payloadOf,
  type TapedOrder,
  type TapedRun,
  type TapedValue,
  TapePosition,
  writeAnswer,
  writeFrame,
  writeState,
  writeText,
} from '../../messages/tape.ts';
import { encodeTapeBlock } from '../../messages/tape-block.ts';
import { TapeBytes } from '../../messages/tape-bytes.ts';
import type { Facts } from '../../safety/facts.ts';
import type { Actuated, Sensed } from '../tick.ts';
import { withPolicy } from './describe-run.ts';
import { OUTSIDE_FACTS } from './outside-facts.ts';
import { encodeSnapshot, type LoopMemory } from './snapshot.ts';

export interface TapeWriterOptions {
  readonly boot: bigint;
  readonly run: TapedRun;
  /** wall clock [ns since 1970] */
  readonly wallNs: () => bigint;
  /** a snapshot is taken this often; five seconds at 200 Hz by default */
  readonly snapshotFrames?: number;
  /** takes a finished block */
  readonly push: (bytes: Uint8Array) => void;
}

/** A block is closed at so many frames: a tenth of a second at 200 Hz. */
const FRAMES = 20;
const SNAPSHOT_FRAMES = 1000;
/** Or at this size [bytes]. */
const BYTES = 8192;

/**
 * Writes down what the control loop is told and what it answers, so that the run can be replayed. All of it on the tick path
 * and in memory: a frame costs some microseconds and a hundred bytes.
 */
export class TapeWriter {
  readonly #options: TapeWriterOptions;
  /** as it is by now: policies may have changed under way */
  #run: TapedRun;
  readonly #bytes = new TapeBytes();
  readonly #position = new TapePosition();
  /** outside facts as they were written last */
  readonly #facts = new Map<string, TapedValue>();
  #number = 0n;
  #frames = 0;
  #framesBefore = 0;
  /** frames that have not been answered yet */
  #open = 0;
  #firstSequence = 0;
  /** frames since the latest snapshot */
  #sinceState = 0;
  #nonce = 0;
  #reads = 0;
  #readAt = 0n;
  #policyNs = 0n;

  constructor(options: TapeWriterOptions) {
    this.#options = options;
    this.#run = options.run;
    writeText(this.#bytes, 'run', options.run);
  }

  /** A clock that remembers what was read from it: how long a policy ran is an input of the loop. */
  policyClock(nowNs: () => bigint): () => bigint {
    return () => {
      const now = nowNs();
      this.#policyNs = now - this.#readAt;
      this.#readAt = now;
      this.#reads += 1;
      return now;
    };
  }

  /** Frames that came together, before anything looks at them. @returns the same */
  chunk(frames: Sensed[]): Sensed[] {
    const [first] = frames;
    if (first === undefined) return frames;
    if (this.#frames === 0) this.#firstSequence = first.sequence;
    this.#frames += frames.length;
    this.#open += frames.length;
    this.#sinceState += frames.length;
    beginChunk(this.#bytes, frames.length);
    for (const frame of frames) writeFrame(this.#bytes, this.#position, frame, payloadOf(frame.sensors));
    return frames;
  }

  /** Everything that the failsafe table is about to see. @returns the same */
  readonly facts = (facts: Facts): Facts => {
    let changes: Record<string, TapedValue> | undefined;
    for (const name of OUTSIDE_FACTS) {
      const value = facts[name];
      if (Object.is(value, this.#facts.get(name))) continue;
      this.#facts.set(name, value);
      changes ??= {};
      changes[name] = value;
    }
    if (changes) writeText(this.#bytes, 'facts', changes);
    return facts;
  };

  /** Something takes effect between two frames. */
  readonly order = (order: TapedOrder): void => {
    if (order.order === 'policy') this.#run = withPolicy(this.#run, order);
    writeText(this.#bytes, 'order', order);
    this.#closeIfLong();
  };

  /** A command has gone out, or has not. */
  answer({ command, latencyUs, written }: Actuated): void {
    if (command.session !== this.#nonce) {
      this.#nonce = command.session;
      writeText(this.#bytes, 'facts', { nonce: command.session });
    }
    writeAnswer(this.#bytes, this.#position, {
      latencyNs: Math.round(latencyUs * 1000),
      policyNs: this.#reads >= 2 ? Number(this.#policyNs) : undefined,
      written,
      command: payloadOf(command),
    });
    this.#reads = 0;
    this.#open -= 1;
    if (this.#frames >= FRAMES && this.#open === 0) this.close();
    else this.#closeIfLong();
  }

  /** It is time for a snapshot, and nothing is on its way through the loop. */
  get wantsMemory(): boolean {
    return this.#open === 0 && this.#sinceState >= (this.#options.snapshotFrames ?? SNAPSHOT_FRAMES);
  }

  /** @param memory all that the loop remembers now; see `wantsMemory` */
  memory(memory: LoopMemory): void {
    // It stands at the beginning of a block: where blocks are missing, a replay begins anew with it.
    this.close();
    this.#sinceState = 0;
    const outside = { ...Object.fromEntries(this.#facts), nonce: this.#nonce };
    writeState(this.#bytes, encodeSnapshot({ run: this.#run, outside, memory }));
  }

  /** To be called every now and then: frames that nobody follows are handed over as well. */
  closeIfIdle(): void {
    if (this.#frames === this.#framesBefore) this.close();
    this.#framesBefore = this.#frames;
  }

  /** Hands over what there is. What has no frame yet waits for one: a block is known by its first. */
  close(): void {
    if (this.#frames === 0 && this.#bytes.length < BYTES) return;
    const { boot, wallNs, push } = this.#options;
    push(
      encodeTapeBlock({
        boot,
        number: this.#number,
        wallNs: wallNs(),
        sequence: BigInt(this.#firstSequence),
        records: this.#bytes.copy(),
      }),
    );
    this.#number += 1n;
    this.#bytes.clear();
    this.#position.reset();
    this.#frames = 0;
  }

  #closeIfLong(): void {
    if (this.#bytes.length >= BYTES) this.close();
  }
}
