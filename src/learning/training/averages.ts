import type { EndedEpisode } from './seed-world.ts';

/** Means of one seed since the last line of metrics, as plain data. */
interface Sums {
  readonly [name: string]: number;
}

export interface AveragesMemory {
  readonly steps: number;
  readonly sums: readonly Sums[];
  readonly episodes: readonly Episodes[];
}

interface Episodes {
  readonly count: number;
  readonly falls: number;
  readonly steps: number;
  readonly returned: number;
}

const none: Episodes = { count: 0, falls: 0, steps: 0, returned: 0 };

/** What is told of each seed every so many steps: means of its metrics, and its episodes. */
export class Averages {
  #steps = 0;
  #sums: Record<string, number>[];
  #episodes: Episodes[];

  constructor(seeds: number) {
    this.#sums = Array.from({ length: seeds }, () => ({}));
    this.#episodes = Array.from({ length: seeds }, () => none);
  }

  add(metrics: Readonly<Record<string, ArrayLike<number>>>): void {
    this.#steps += 1;
    for (const [name, values] of Object.entries(metrics)) {
      for (const [seed, sums] of this.#sums.entries()) sums[name] = (sums[name] ?? 0) + (values[seed] ?? 0);
    }
  }

  addEpisode(seed: number, episode: EndedEpisode): void {
    const { count, falls, steps, returned } = this.#episodes[seed] ?? none;
    this.#episodes[seed] = {
      count: count + 1,
      falls: falls + (episode.terminated ? 1 : 0),
      steps: steps + episode.steps,
      returned: returned + episode.return,
    };
  }

  /** One record a seed; begins anew. */
  take(): Record<string, number>[] {
    const records = this.#sums.map((sums, seed) => {
      const { count, falls, steps, returned } = this.#episodes[seed] ?? none;
      const means = Object.entries(sums).map(([name, sum]) => [name, sum / this.#steps]);
      return {
        ...Object.fromEntries(means),
        episodes: count,
        falls,
        ...(count > 0 && { episodeSteps: steps / count, episodeReturn: returned / count }),
      };
    });
    this.#steps = 0;
    this.#sums = this.#sums.map(() => ({}));
    this.#episodes = this.#episodes.map(() => none);
    return records;
  }

  remember(): AveragesMemory {
    return { steps: this.#steps, sums: this.#sums, episodes: this.#episodes };
  }

  recall(memory: AveragesMemory): void {
    this.#steps = memory.steps;
    this.#sums = memory.sums.map((sums) => ({ ...sums }));
    this.#episodes = [...memory.episodes];
  }
}
