import type { LinearPolicy } from '../../policy/onnx-linear.ts';
import { Random } from '../../random.ts';
import type { Environment } from '../../simulation/environments/environment.ts';
import type { Controller } from '../controller.ts';
import { rollOut } from '../evaluation.ts';

/** action = clip(gains · (x, v, pitch, pitch rate) + bias, ±1): five numbers. */
export type LinearLaw = readonly [x: number, v: number, pitch: number, pitchRate: number, bias: number];

export interface LinearOptions {
  readonly environment: Environment;
  /** of everything that is drawn */
  readonly seed: number;
  /** candidates of one generation; default 16 */
  readonly population?: number;
  /** of them, how many the next generation is drawn around; default 4 */
  readonly elite?: number;
  /** default 10 */
  readonly generations?: number;
  /** episodes that each candidate plays, the same for all of a generation; default 2 */
  readonly episodes?: number;
  /** decisions of an episode; default the environment's */
  readonly decisions?: number;
  readonly onGeneration?: (progress: LinearProgress) => void;
}

export interface LinearProgress {
  readonly generation: number;
  readonly law: LinearLaw;
  /** mean return of the elite, of the first 1000 control periods */
  readonly eliteReturn: number;
  /** decisions so far, of all candidates */
  readonly decisions: number;
}

/**
 * Where the search begins: around doing nothing, as wide as the gains of robots of this kind spread (a pitch of 0.2 rad or a speed of 1 m/s may
 * ask for all the torque).
 */
const firstDeviation: LinearLaw = [0.5, 1, 5, 0.5, 0.05];
/** Share of the first deviation that is added to that of the elite, falling to nothing: against narrowing down too early. */
const firstExtra = 0.2;

/**
 * A reference that learned policies have to beat: a linear law, tuned by the cross-entropy method. Each generation draws its candidates from
 * a normal distribution, and the mean and deviation of the best become those of the next.
 * @returns the mean of the last generation's distribution
 * @throws TypeError where the observation is not the paper's four numbers, or the action not one
 */
export function tuneLinear(options: LinearOptions): LinearLaw {
  const { environment, seed, population = 16, elite = 4, generations = 10, episodes = 2 } = options;
  if (environment.observationNames.join() !== 'x,v,pitch,pitchRate' || environment.actionSize !== 1) {
    throw new TypeError(`${environment.name} does not have the observation x, v, pitch, pitchRate and one action`);
  }
  const decisions = options.decisions ?? environment.episodeSteps;
  const random = new Random(seed);
  let mean = [0, 0, 0, 0, 0];
  let deviation = [...firstDeviation];
  let played = 0;

  for (let generation = 1; generation <= generations; generation++) {
    const seeds = Array.from({ length: episodes }, () => random.uint32());
    const candidates = Array.from({ length: population }, () => {
      const law = mean.map((center, i) => center + (deviation[i] ?? 0) * random.gaussian());
      const controller = linearController(law as unknown as LinearLaw);
      let total = 0;
      for (const one of seeds) {
        rollOut(environment, controller, { seed: one, start: 'spread', decisions });
        total += environment.tally.returned;
        played += Math.round(environment.tally.seconds / environment.stepSeconds);
      }
      return { law, score: total / episodes };
    });
    const best = candidates.sort((a, b) => b.score - a.score).slice(0, elite);
    const extra = firstExtra * (1 - generation / generations);
    mean = mean.map((_, i) => average(best.map(({ law }) => law[i] ?? 0)));
    deviation = mean.map((center, i) => {
      const spread = average(best.map(({ law }) => ((law[i] ?? 0) - center) ** 2));
      return Math.sqrt(spread + (extra * (firstDeviation[i] ?? 0)) ** 2);
    });
    const eliteReturn = average(best.map(({ score }) => score));
    options.onGeneration?.({ generation, law: mean as unknown as LinearLaw, eliteReturn, decisions: played });
  }
  return mean as unknown as LinearLaw;
}

export function linearController([x, v, pitch, pitchRate, bias]: LinearLaw): Controller {
  return {
    act(observation, action) {
      const [a = 0, b = 0, c = 0, d = 0] = observation;
      action[0] = Math.min(1, Math.max(-1, x * a + v * b + pitch * c + pitchRate * d + bias));
    },
  };
}

/** The law as `buildLinearPolicy` writes it. */
export function linearPolicy([x, v, pitch, pitchRate, bias]: LinearLaw): LinearPolicy {
  return { weights: [[x, v, pitch, pitchRate]], bias: [bias] };
}

const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
