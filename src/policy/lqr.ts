import { EdgeError } from '../errors.ts';
import {
  add,
  at,
  largest,
  type Matrix,
  matrix,
  multiply,
  spectralRadius,
  symmetrise,
  transpose,
} from './linear-algebra.ts';
import type { LinearSystem } from './pendulum.ts';

const mostIterations = 200_000;
/** relative change of the gains from one iteration to the next */
const settled = 1e-10;

/**
 * Gain K of u = −K x that minimises Σ xᵀQx + r u² over a sampled system with one input: the discrete Riccati equation,
 * iterated to its fixed point.
 *
 * @param system a: n×n, b: n×1, sampled
 * @param stateWeights diagonal of Q, n values
 * @param inputWeight r
 * @returns n gains
 * @throws EdgeError `robotInvalid` when the iteration does not settle: these numbers describe no robot that can stand
 */
export function solveLqr({ a, b }: LinearSystem, stateWeights: readonly number[], inputWeight: number): number[] {
  const n = a.length;
  const q = matrix(n, n, (i, j) => (i === j ? (stateWeights[i] ?? 0) : 0));
  let p = q;
  let gain: readonly number[] = stateWeights.map(() => 0);
  for (let iteration = 0; iteration < mostIterations; iteration++) {
    const next = gainFor(p);
    // P ← Q + r KᵀK + (A − BK)ᵀ P (A − BK): Joseph's form keeps P positive where Q + AᵀP(A − BK) loses that to rounding.
    const closed = add(a, multiply(b, [next]), -1);
    const cost = add(q, multiply(transpose([next]), [next]), inputWeight);
    // Rounding makes P lopsided and then diverge unless it is put right every time.
    p = symmetrise(add(cost, multiply(transpose(closed), multiply(p, closed))));
    const change = largest(add([next], [gain], -1));
    gain = next;
    if (!Number.isFinite(change)) break;
    // Not before an input can have shown in the cost.
    if (iteration > a.length && change <= settled * largest([gain])) return [...gain];
  }
  throw new EdgeError(
    'robotInvalid',
    'the balancer finds no gains for this robot: the Riccati iteration does not settle',
    'check masses, lengths and inertia in the robot file',
  );

  /** K = (r + Bᵀ P B)⁻¹ Bᵀ P A */
  function gainFor(p: Matrix): number[] {
    const bTp = multiply(transpose(b), p);
    const scale = inputWeight + at(multiply(bTp, b), 0, 0);
    return (multiply(bTp, a)[0] ?? []).map((value) => value / scale);
  }
}

/**
 * The gain for a system whose input acts `delay` samples late: K times the state that it will be in by then,
 *
 *     x(k+d) = Aᵈ x(k) + Σ Aʲ B u(k−1−j),  j = 0 … d−1
 *
 * This is what the Riccati equation of the system with d more states, the inputs on their way, gives as well (a test
 * compares), without iterating over matrices that grow with the rate.
 *
 * @param gain for the system without delay, n values
 * @returns n gains for the state, then `delay` gains for the inputs on their way, oldest (about to act) first
 */
export function delayGain(gain: readonly number[], { a, b }: LinearSystem, delay: number): number[] {
  let row: Matrix = [gain];
  const inputs: number[] = [];
  for (let step = 0; step < delay; step++) {
    inputs.unshift(at(multiply(row, b), 0, 0));
    row = multiply(row, a);
  }
  return [...(row[0] ?? []), ...inputs];
}

/** The sampled system with the inputs on their way as further states, oldest first; n + delay states. */
export function delaySystem({ a, b }: LinearSystem, delay: number): LinearSystem {
  if (delay === 0) return { a, b };
  const n = a.length;
  const size = n + delay;
  return {
    a: matrix(size, size, (i, j) => {
      if (i < n) return j < n ? at(a, i, j) : j === n ? at(b, i, 0) : 0;
      return j === i + 1 ? 1 : 0;
    }),
    b: matrix(size, 1, (i) => (i === size - 1 ? 1 : 0)),
  };
}

/** Largest absolute eigenvalue of the loop that u = −gain·x closes; it is stable below 1. */
export function closedLoopRadius({ a, b }: LinearSystem, gain: readonly number[]): number {
  return spectralRadius(add(a, multiply(b, [gain]), -1));
}
