import type { EstopStage } from '../../../messages/requests.ts';
import type { QueuedEvent } from './event-outbox.ts';

/** How a stop goes on after it was received. */
export interface StopProgress {
  /** resolves when the latch is on disk, or cannot be: whether it is there */
  readonly onDisk: Promise<boolean>;
  /** resolves when the motor controller says that torque is off */
  readonly confirmed: Promise<unknown>;
}

interface Report {
  source: string;
  ids: string[];
}

/** Stops that are followed one by one; more at a time are reported together. */
const MOST_REPORTS = 8;
const MOST_IDS = 16;

/**
 * Tells the senders of stops how far theirs has come. However many stops come and however dead disk or motor controller
 * are, only a few promises are waited for: a stop that is one too many joins the latest report that still waits, which
 * will be true for it too, since it becomes true after it.
 */
export class StopReports {
  readonly #publish: (event: QueuedEvent) => void;
  readonly #waiting = { latched: [] as Report[], confirmed: [] as Report[] };

  constructor(publish: (event: QueuedEvent) => void) {
    this.#publish = publish;
  }

  stopped(source: string, ids: readonly string[], progress: StopProgress | undefined): void {
    this.#report('received', { source, ids: [...ids] });
    if (progress === undefined) return;
    this.#follow('latched', { source, ids: [...ids] }, progress.onDisk);
    this.#follow('confirmed', { source, ids: [...ids] }, progress.confirmed);
  }

  #follow(stage: 'latched' | 'confirmed', report: Report, reached: Promise<unknown>): void {
    const waiting = this.#waiting[stage];
    const latest = waiting.at(-1);
    if (waiting.length >= MOST_REPORTS && latest) {
      latest.source = report.source;
      latest.ids = [...latest.ids, ...report.ids].slice(-MOST_IDS);
      return;
    }
    waiting.push(report);
    const leave = () => waiting.splice(waiting.indexOf(report), 1);
    reached.then(
      (result) => {
        leave();
        this.#report(stage, report, stage === 'latched' ? { onDisk: result === true } : {});
      },
      // Whoever promised knows why; the sender's patience ends without this stage.
      leave,
    );
  }

  #report(stage: EstopStage, { source, ids }: Report, more: Record<string, unknown> = {}): void {
    this.#publish({ event: 'estop-stage', stage, source, ids, ...more });
  }
}
