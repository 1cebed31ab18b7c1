import type { MetricsRecord } from '../../learning/training/training.ts';
import { complain } from '../output.ts';

/** Screen refreshes [ms]. */
const REFRESH_MS = 250;
const BAR = 24;

/** What a person sees while it trains: a bar on a terminal, a line for each evaluation elsewhere. On stderr. */
export class Progress {
  readonly #steps: number;
  readonly #seeds: number;
  readonly #terminal = process.stderr.isTTY === true;
  #from = 0;
  #began = performance.now();
  #shown = 0;
  #critic = '';
  #evaluation = '';
  readonly #returns = new Map<number, MetricsRecord>();

  constructor({ steps, seeds }: { readonly steps: number; readonly seeds: number }) {
    this.#steps = steps;
    this.#seeds = seeds;
  }

  start(step: number): void {
    this.#from = step;
    this.#began = performance.now();
    if (step > 0) complain(`goes on from step ${step}`);
  }

  record(record: MetricsRecord): void {
    if (record.kind === 'training') {
      const losses = ['q1/loss', 'policyLoss', 'alpha'] as const;
      this.#critic = losses.map((name) => `${name} ${short(record[name])}`).join(' ');
      return;
    }
    this.#returns.set(record.seed, record);
    const all = [...this.#returns.values()];
    const returns = all.map((one) => short(one.meanReturn)).join(' ');
    const survival = all.map((one) => (one.survivalSeconds as { mean: number } | undefined)?.mean);
    const survived = survival.every((one) => one === undefined) ? '' : `, stood ${survival.map(short).join(' ')} s`;
    this.#evaluation = `return ${returns}${survived}`;
    const last = all.length === this.#seeds && all.every((one) => one.step === record.step);
    if (!this.#terminal && last) complain(`step ${record.step}: ${this.#evaluation}`);
  }

  step(step: number): void {
    const now = performance.now();
    if (!this.#terminal || now - this.#shown < REFRESH_MS) return;
    this.#shown = now;
    const rate = ((step - this.#from) / (now - this.#began)) * 1000;
    const done = Math.round((BAR * step) / this.#steps);
    const bar = `${'█'.repeat(done)}${'░'.repeat(BAR - done)}`;
    const left = duration((this.#steps - step) / rate);
    const line = `${bar} ${step}/${this.#steps}  ${rate.toFixed(0)} steps/s  ${left} left  ${this.#critic}  ${this.#evaluation}`;
    process.stderr.write(`\r${line.slice(0, (process.stderr.columns ?? 120) - 1)}\x1b[K`);
  }

  end(): void {
    if (this.#terminal) process.stderr.write('\r\x1b[K');
  }
}

const short = (value: unknown): string => (typeof value === 'number' ? Number(value.toPrecision(4)).toString() : '–');

function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '…';
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.ceil(seconds)} s`;
}
