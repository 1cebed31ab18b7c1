import type { GateVerdict } from '../../messages/mqtt-trainer.ts';
import { type Gate, type GateEvaluation, SCORES, type ScoreName } from '../config.ts';

/** What an evaluation gave; null where it is no number. */
export type Scores = Readonly<Partial<Record<ScoreName, number | null>>>;

/** How one policy, and the one before it, did on one of the gate's simulated robots. */
export interface Measured {
  readonly policy: Scores;
  /** on the same seeds; null if there is none to compare with */
  readonly previous: Scores | null;
}

/** Which robot was simulated, in words. */
export const describeGap = ({ dynamics, gaps }: Pick<GateEvaluation, 'dynamics' | 'gaps'>): string =>
  gaps.length === 0 ? dynamics : `${dynamics} with ${gaps.join(', ')}`;

/**
 * Judges a new policy: it must keep every bound, and be no worse than the policy before it. A number that is not known, or
 * no number, passes nothing.
 * @param measured one for each of the gate's evaluations
 */
export function judge(gate: Gate, measured: readonly Measured[]): GateVerdict {
  const checks: GateVerdict['checks'] = [];
  for (const [index, evaluation] of gate.evaluations.entries()) {
    const { policy = {}, previous = null } = measured[index] ?? {};
    const gap = describeGap(evaluation);
    const check = (what: ScoreName, against: 'threshold' | 'previous', bound: number, wanted: 'more' | 'less') => {
      const value = numberOf(policy[what]);
      const passed = value !== null && (wanted === 'more' ? value >= bound : value <= bound);
      checks.push({ gap, what, against, measured: value, bound, passed });
    };
    for (const [what, bound] of entriesOf(evaluation.atLeast)) check(what, 'threshold', bound, 'more');
    for (const [what, bound] of entriesOf(evaluation.atMost)) check(what, 'threshold', bound, 'less');
    for (const what of previous === null ? [] : gate.notWorseIn) {
      const before = numberOf(previous?.[what]);
      // Nothing is worse than what has no number.
      if (before === null) continue;
      const slack = gate.tolerance * Math.abs(before);
      const wanted = SCORES[what];
      check(what, 'previous', wanted === 'more' ? before - slack : before + slack, wanted);
    }
  }
  return {
    passed: measured.length === gate.evaluations.length && checks.every(({ passed }) => passed),
    checks,
    evaluations: gate.evaluations.map((evaluation, index) => ({
      gap: describeGap(evaluation),
      seeds: evaluation.seeds,
      policy: known(measured[index]?.policy),
      previous: measured[index]?.previous ? known(measured[index].previous) : null,
    })),
  };
}

/** Why it is not good enough, in words; empty if it is. */
export function describeVerdict({ passed, checks }: GateVerdict): string {
  if (passed) return '';
  const says = checks
    .filter((check) => !check.passed)
    .map(({ gap, what, against, measured, bound }) => {
      const wanted =
        against === 'previous' ? `the policy before it allows ${round(bound)}` : `wanted is ${round(bound)}`;
      return `${gap}: ${what} ${measured === null ? 'is no number' : round(measured)}, ${wanted}`;
    });
  return says.length > 0 ? says.join('; ') : 'it was not evaluated';
}

/** `evaluate --json` as flat numbers. */
export function scoresOf(json: Readonly<Record<string, unknown>>): Scores {
  const { survivalSeconds, ...rest } = json;
  const survival = typeof survivalSeconds === 'object' && survivalSeconds !== null ? survivalSeconds : {};
  const { mean, min } = survival as { mean?: unknown; min?: unknown };
  const flat: Record<string, unknown> = { ...rest, survivalMean: mean, survivalMin: min };
  const names = Object.keys(SCORES) as ScoreName[];
  return Object.fromEntries(names.filter((name) => name in flat).map((name) => [name, numberOf(flat[name])]));
}

const numberOf = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;

const entriesOf = (bounds: Partial<Record<ScoreName, number>>) =>
  Object.entries(bounds).filter(([, bound]) => bound !== undefined) as [ScoreName, number][];

const known = (scores: Scores | undefined): Record<string, number | null> =>
  Object.fromEntries(Object.entries(scores ?? {}).map(([name, value]) => [name, value ?? null]));

const round = (value: number): string => Number(value.toPrecision(5)).toString();
