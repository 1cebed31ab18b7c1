import type { Progress } from './collection.ts';

const WIDTH = 24;
/** Between two lines where there is no terminal [ms]. */
const LINE_INTERVAL = 5000;
const FRAME_INTERVAL = 200;

/** What a progress says in one line. @param diskLeft what the recorder may still write [bytes], if known */
export function describeProgress(progress: Progress, diskLeft: number | undefined): string {
  const { transitions, goal, rate, episodes, falls, coverage, rowsLost, phase, refusal } = progress;
  const share = Number.isFinite(goal) ? Math.min(1, transitions / goal) : 0;
  const full = Math.round(share * WIDTH);
  const left = Number.isFinite(goal) && rate > 0 ? Math.max(0, goal - transitions) / rate : Number.NaN;
  return [
    `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${(100 * share).toFixed(0)}%`,
    `${transitions} transitions`,
    `${rate.toFixed(0)}/s${Number.isFinite(left) ? `, ${time(left)} left` : ''}`,
    `${episodes} episodes, ${falls} falls`,
    `coverage ${(100 * coverage).toFixed(1)}%`,
    ...(diskLeft === undefined ? [] : [`disk ${(diskLeft / 1e9).toFixed(1)} GB left`]),
    ...(rowsLost > 0 ? [`${rowsLost} ROWS LOST`] : []),
    ...(phase === 'running' ? [] : [WAITING[phase] ?? phase]),
    ...(refusal === '' ? [] : [refusal]),
  ].join('  ');
}

const WAITING: Readonly<Record<string, string>> = {
  fallen: 'fallen',
  lifted: 'hold it upright and still',
  arming: 'arming',
};

const time = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

/** Draws progress: one line that is drawn over on a terminal, else a line every few seconds. On stderr: stdout is the answer's. */
export class ProgressBar {
  readonly #out: NodeJS.WriteStream;
  readonly #now: () => number;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #drawn = false;

  constructor(out: NodeJS.WriteStream, now: () => number) {
    this.#out = out;
    this.#now = now;
  }

  show(progress: Progress, diskLeft: number | undefined): void {
    const tty = this.#out.isTTY;
    const now = this.#now();
    if (now - this.#drawnAt < (tty ? FRAME_INTERVAL : LINE_INTERVAL)) return;
    this.#drawnAt = now;
    const line = describeProgress(progress, diskLeft);
    this.#out.write(tty ? `\r${line.slice(0, this.#out.columns - 1)}\x1b[K` : `${line}\n`);
    this.#drawn = tty;
  }

  /** A line of its own, for a person. */
  say(line: string): void {
    this.#out.write(`${this.#drawn ? '\r\x1b[K' : ''}${line}\n`);
    this.#drawn = false;
  }
}
