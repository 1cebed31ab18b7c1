import type { TaskState } from '../robot/tasks/task.ts';

/** One axis of a map: what it shows, and the range that counts as covered or not. */
interface Axis {
  readonly of: keyof TaskState;
  readonly min: number;
  readonly max: number;
  readonly cells: number;
}

/**
 * Where a balancing robot can be without having fallen or run away: pitch up to π/6, at which the tasks end; rates, speeds
 * and distances up to about twice what 98 % of the rows of the authors' published log of their robot keep to.
 */
const MAPS = {
  balance: [
    { of: 'pitch', min: -Math.PI / 6, max: Math.PI / 6, cells: 24 },
    { of: 'pitchRate', min: -3, max: 3, cells: 24 },
  ],
  travel: [
    { of: 'x', min: -1.2, max: 1.2, cells: 24 },
    { of: 'v', min: -1, max: 1, cells: 24 },
  ],
} as const satisfies Record<string, readonly [Axis, Axis]>;

export type MapName = keyof typeof MAPS;
export const MAP_NAMES = ['balance', 'travel'] as const satisfies readonly MapName[];

/** One cell of a map that was visited, by its edges. */
export interface Cell {
  readonly x: number;
  readonly xEnd: number;
  readonly y: number;
  readonly yEnd: number;
  readonly rows: number;
}

/** How much of the state space data covers: two maps of cells, in fixed memory. */
export class Coverage {
  readonly #counts = new Map(
    MAP_NAMES.map((name) => [name, new Uint32Array(MAPS[name][0].cells * MAPS[name][1].cells)]),
  );
  readonly #visited = new Map<MapName, number>(MAP_NAMES.map((name) => [name, 0]));

  add(state: TaskState): void {
    for (const name of MAP_NAMES) {
      const [first, second] = MAPS[name];
      const column = cellOf(first, state[first.of]);
      const row = cellOf(second, state[second.of]);
      const counts = this.#counts.get(name);
      if (column === undefined || row === undefined || counts === undefined) continue;
      const index = row * first.cells + column;
      const before = counts[index] ?? 0;
      if (before === 0) this.#visited.set(name, (this.#visited.get(name) ?? 0) + 1);
      counts[index] = before + 1;
    }
  }

  /** Share of a map's cells that were visited, 0 to 1. */
  share(name: MapName): number {
    const [first, second] = MAPS[name];
    return (this.#visited.get(name) ?? 0) / (first.cells * second.cells);
  }

  /** The cells that were visited. */
  cells(name: MapName): Cell[] {
    const [first, second] = MAPS[name];
    return [...(this.#counts.get(name) ?? [])].flatMap((rows, index) => {
      if (rows === 0) return [];
      const column = index % first.cells;
      const row = (index - column) / first.cells;
      return [
        {
          x: edge(first, column),
          xEnd: edge(first, column + 1),
          y: edge(second, row),
          yEnd: edge(second, row + 1),
          rows,
        },
      ];
    });
  }
}

/** The two quantities of a map and their ranges, first the one across. */
export const axesOf = (name: MapName): readonly [Axis, Axis] => MAPS[name];

function cellOf({ min, max, cells }: Axis, value: number): number | undefined {
  const cell = Math.floor(((value - min) / (max - min)) * cells);
  return cell >= 0 && cell < cells ? cell : undefined;
}

const edge = ({ min, max, cells }: Axis, cell: number): number => min + ((max - min) * cell) / cells;
