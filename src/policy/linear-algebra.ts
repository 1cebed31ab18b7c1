/** Dense row-major matrix; only what the balancer's design needs, for a handful of states. */
export type Matrix = readonly (readonly number[])[];

/** Element, 0 beyond the edge: lets small sums be written without index checks. */
export const at = (a: Matrix, row: number, column: number): number => a[row]?.[column] ?? 0;

export const matrix = (rows: number, columns: number, value: (row: number, column: number) => number): Matrix =>
  Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (_, column) => value(row, column)));

export const identity = (size: number): Matrix => matrix(size, size, (row, column) => (row === column ? 1 : 0));

export const transpose = (a: Matrix): Matrix =>
  matrix(a[0]?.length ?? 0, a.length, (row, column) => at(a, column, row));

export function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += (a[index] ?? 0) * (b[index] ?? 0);
  return sum;
}

export function multiply(a: Matrix, b: Matrix): Matrix {
  const columns = transpose(b);
  return a.map((row) => columns.map((column) => dot(row, column)));
}

/** a + factor·b */
export const add = (a: Matrix, b: Matrix, factor = 1): Matrix =>
  a.map((row, i) => row.map((value, j) => value + factor * at(b, i, j)));

/** (a + aᵀ)/2 */
export const symmetrise = (a: Matrix): Matrix => a.map((row, i) => row.map((value, j) => (value + at(a, j, i)) / 2));

/** Largest absolute element. */
export const largest = (a: Matrix): number => a.reduce((most, row) => Math.max(most, ...row.map(Math.abs)), 0);

/** e^a by scaling and squaring of the Taylor series; exact to rounding for the norms of a sampled robot. */
export function exponential(a: Matrix): Matrix {
  const halvings = Math.max(0, Math.ceil(Math.log2(largest(a) * a.length || 1)) + 1);
  const scaled = a.map((row) => row.map((value) => value / 2 ** halvings));
  let term = identity(a.length);
  let sum = term;
  // |scaled| ≤ 1/2: the 20th term is below 1e-24.
  for (let order = 1; order <= 20; order++) {
    term = multiply(term, scaled).map((row) => row.map((value) => value / order));
    sum = add(sum, term);
  }
  for (let count = 0; count < halvings; count++) sum = multiply(sum, sum);
  return sum;
}

/** Largest absolute eigenvalue, by Gelfand's formula |aⁿ|^(1/n) with n = 2³⁰; below 1 a sampled system is stable. */
export function spectralRadius(a: Matrix): number {
  let power = a;
  let logarithm = 0;
  const squarings = 30;
  for (let count = 0; count < squarings; count++) {
    // Keep the power near 1 and its size apart, or it would overflow.
    const size = largest(power);
    if (size === 0) return 0;
    logarithm = 2 * (logarithm + Math.log(size));
    const scaled = power.map((row) => row.map((value) => value / size));
    power = multiply(scaled, scaled);
  }
  return Math.exp((logarithm + Math.log(largest(power))) / 2 ** squarings);
}
