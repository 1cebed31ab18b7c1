import { type DatasetStatus, MQTT_SCHEMA } from '../../messages/mqtt.ts';
import type { RecorderClock } from '../../recording/clock.ts';
import type { Waiting } from './outbox.ts';

/** A status is not said more often [ms]. */
const LEAST_MS = 1_000;
/** Refused segments that are named. */
const NAMED = 20;

/** What is said when nothing is uploaded, by the last will for one. */
export const offStatus = (problem: string, at: number): DatasetStatus => ({
  schema: MQTT_SCHEMA,
  at,
  state: 'off',
  problem,
  waiting: null,
  sending: null,
  acknowledged: { segments: 0, last: null },
  refused: [],
});

/** What is said of the upload: when something has changed, and not more often than once a second. */
export class UploadStatus {
  /** why nothing moves; empty if nothing is in the way */
  problem = '';
  readonly #clock: RecorderClock;
  readonly #say: (status: DatasetStatus) => void;
  #refused: DatasetStatus['refused'] = [];
  #acknowledged: DatasetStatus['acknowledged'] = { segments: 0, last: null };
  #said = '';
  #saidMs = Number.NEGATIVE_INFINITY;
  #latest: Omit<DatasetStatus, 'at' | 'schema'> | undefined;
  #cancel: (() => void) | undefined;

  constructor(clock: RecorderClock, say: (status: DatasetStatus) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  acknowledged(segment: string, trainer: string, sha256: string): void {
    const last = { segment, trainer, sha256, at: this.#wallMs() };
    this.#acknowledged = { segments: this.#acknowledged.segments + 1, last };
    this.#refused = this.#refused.filter((one) => one.segment !== segment);
  }

  refused(what: DatasetStatus['refused'][number]): void {
    this.#refused = [...this.#refused.filter(({ segment }) => segment !== what.segment), what].slice(-NAMED);
  }

  update(waiting: readonly Waiting[], sending: DatasetStatus['sending']): void {
    const { problem } = this;
    const state =
      problem !== '' ? 'waiting' : sending?.trainer ? 'sending' : sending ? 'offering' : ('nothing-left' as const);
    this.#latest = {
      state,
      problem,
      waiting: { segments: waiting.length, bytes: waiting.reduce((sum, { bytes }) => sum + bytes, 0) },
      sending,
      acknowledged: this.#acknowledged,
      refused: this.#refused,
    };
    this.#saySoon();
  }

  /** What was said last may have been lost, or overwritten by a last will. */
  sayAgain(): void {
    this.#said = '';
  }

  stop(): void {
    this.#cancel?.();
  }

  #wallMs(): number {
    return Number(this.#clock.wallNs() / 1_000_000n);
  }

  #saySoon(): void {
    if (this.#cancel || JSON.stringify(this.#latest) === this.#said) return;
    const wait = this.#saidMs + LEAST_MS - this.#clock.monotonicMs();
    if (wait <= 0) this.#sayNow();
    else {
      this.#cancel = this.#clock.after(wait, () => {
        this.#cancel = undefined;
        this.#sayNow();
      });
    }
  }

  #sayNow(): void {
    const text = JSON.stringify(this.#latest);
    if (!this.#latest || text === this.#said) return;
    this.#said = text;
    this.#saidMs = this.#clock.monotonicMs();
    this.#say({ schema: MQTT_SCHEMA, at: this.#wallMs(), ...this.#latest });
  }
}
