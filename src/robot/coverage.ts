/** One axis of a map: which number of the state it shows, and the range that is looked at. */
interface Axis {
  readonly of: 'x' | 'v' | 'pitch' | 'pitchRate';
  readonly min: number;
  readonly max: number;
}

/** Cells to a side of each map. */
const SIDE = 24;

/**
 * Where a balancing robot can be without having fallen or run away: lean up to π/6, at which the tasks end; rates, speeds
 * and distances up to about twice what 98 % of the rows of the authors' published log of their robot keep to.
 */
const MAPS = {
  balance: [
    { of: 'pitch', min: -Math.PI / 6, max: Math.PI / 6 },
    { of: 'pitchRate', min: -3, max: 3 },
  ],
  travel: [
    { of: 'x', min: -1.2, max: 1.2 },
    { of: 'v', min: -1, max: 1 },
  ],
} as const satisfies Record<string, readonly [Axis, Axis]>;

/** Where each quantity is in the state of the tasks. */
const INDEX = { x: 0, v: 1, pitch: 2, pitchRate: 3 } as const;

export type MapName = keyof typeof MAPS;
export const MAP_NAMES = ['balance', 'travel'] as const satisfies readonly MapName[];

/** Cells of both maps. */
export const COVERAGE_CELLS = MAP_NAMES.length * SIDE ** 2;

/** One cell of a map that was visited, by its edges. */
export interface Cell {
  readonly x: number;
  readonly xEnd: number;
  readonly y: number;
  readonly yEnd: number;
  /** states that fell into it */
  readonly states: number;
}

/**
 * How much of the state space has been seen: lean against its rate, and place against speed, each a square of cells. Four
 * kilobytes and a few operations a state, so that it can be counted anywhere.
 */
export class Coverage {
  readonly #maps = { balance: new Uint32Array(SIDE ** 2), travel: new Uint32Array(SIDE ** 2) };
  readonly #visited = { balance: 0, travel: 0 };

  /**
   * Counts a state; a map leaves out one that is beyond its edges, or no number.
   * @param state x [m], v [m/s], pitch [rad], pitch rate [rad/s]
   */
  add(state: ArrayLike<number>): void {
    for (const name of MAP_NAMES) {
      const [across, up] = MAPS[name];
      const column = cellOf(across, state);
      const row = cellOf(up, state);
      if (column === undefined || row === undefined) continue;
      const counts = this.#maps[name];
      const before = counts[row * SIDE + column] ?? 0;
      if (before === 0) this.#visited[name] += 1;
      counts[row * SIDE + column] = before + 1;
    }
  }

  clear(): void {
    for (const name of MAP_NAMES) {
      this.#maps[name].fill(0);
      this.#visited[name] = 0;
    }
  }

  /** Cells that have been visited, of `COVERAGE_CELLS`. */
  get visited(): number {
    return this.#visited.balance + this.#visited.travel;
  }

  /** Share of a map's cells that have been visited, 0 to 1. */
  share(name: MapName): number {
    return this.#visited[name] / SIDE ** 2;
  }

  /** The cells of a map that have been visited. */
  cells(name: MapName): Cell[] {
    const [across, up] = MAPS[name];
    return [...this.#maps[name]].flatMap((states, index) => {
      if (states === 0) return [];
      const column = index % SIDE;
      const row = (index - column) / SIDE;
      return [
        {
          x: edge(across, column),
          xEnd: edge(across, column + 1),
          y: edge(up, row),
          yEnd: edge(up, row + 1),
          states,
        },
      ];
    });
  }
}

/** The two quantities of a map and their ranges, first the one across. */
export const axesOf = (name: MapName): readonly [Axis, Axis] => MAPS[name];

function cellOf({ of, min, max }: Axis, state: ArrayLike<number>): number | undefined {
  const cell = Math.floor((((state[INDEX[of]] ?? Number.NaN) - min) / (max - min)) * SIDE);
  return cell >= 0 && cell < SIDE ? cell : undefined;
}

const edge = ({ min, max }: Axis, cell: number): number => min + ((max - min) * cell) / SIDE;
