import type { Robot } from './robot.ts';

/** Cells to a side of each plane. */
const SIDE = 20;
/** What the planes reach to, either way; what is beyond falls into the outer cells. */
const MOST_PITCH_RATE = 4; // rad/s
const MOST_X = 1; // m
const MOST_V = 1; // m/s

/** Cells of both planes. */
export const COVERAGE_CELLS = 2 * SIDE * SIDE;

/**
 * How much of the state space has been seen: lean against its rate, up to the lean at which the robot has fallen, and place
 * against speed, each a square of cells. A hundred bytes and a few operations a state, so that it can be counted anywhere.
 */
export class Coverage {
  readonly #seen = new Uint8Array(COVERAGE_CELLS);
  readonly #mostPitch: number;
  #cells = 0;

  constructor(robot: Robot) {
    this.#mostPitch = robot.limits.tilt;
  }

  /** Cells that have been visited, of `COVERAGE_CELLS`. */
  get cells(): number {
    return this.#cells;
  }

  /** @param state x [m], v [m/s], pitch [rad], pitch rate [rad/s]; one with a number that is none is left out */
  add([x = Number.NaN, v = Number.NaN, pitch = Number.NaN, pitchRate = Number.NaN]: readonly number[]): void {
    if (!Number.isFinite(x + v + pitch + pitchRate)) return;
    this.#visit(SIDE * place(pitch, this.#mostPitch) + place(pitchRate, MOST_PITCH_RATE));
    this.#visit(SIDE * SIDE + SIDE * place(x, MOST_X) + place(v, MOST_V));
  }

  clear(): void {
    this.#seen.fill(0);
    this.#cells = 0;
  }

  #visit(cell: number): void {
    if (this.#seen[cell] !== 0) return;
    this.#seen[cell] = 1;
    this.#cells += 1;
  }
}

/** Which of the cells from -most to most. */
const place = (value: number, most: number): number =>
  Math.min(SIDE - 1, Math.max(0, Math.floor(((value / most + 1) / 2) * SIDE)));
