/** One try of a controller, by the simulator's ground truth. */
export interface Try {
  /** until it fell or another took over [s] */
  readonly seconds: number;
  /** [m] */
  readonly maxAbsX: number;
  readonly fell: boolean;
  /** `stood`: until the time was over; `fell`; `fallback`: the balancer took over; else the state that the robot came to */
  readonly ended: string;
}

/** How a controller did on a robot. */
export interface Performance {
  /** mean of the tries [s] */
  readonly survival: number;
  /** the furthest from where a try began [m] */
  readonly maxAbsX: number;
  readonly falls: number;
  readonly tries: readonly Try[];
}

const round = (value: number): number => Number(value.toFixed(3));

export const performanceOf = (tries: readonly Try[]): Performance => ({
  survival: round(tries.reduce((sum, { seconds }) => sum + seconds, 0) / Math.max(1, tries.length)),
  maxAbsX: round(Math.max(0, ...tries.map(({ maxAbsX }) => maxAbsX))),
  falls: tries.filter(({ fell }) => fell).length,
  tries: tries.map((one) => ({ ...one, seconds: round(one.seconds), maxAbsX: round(one.maxAbsX) })),
});

/** In words. */
export const describePerformance = ({ survival, maxAbsX, falls, tries }: Performance): string =>
  `stood ${survival.toFixed(1)} s in the mean of ${tries.length} tries, at most ${maxAbsX.toFixed(2)} m away, ${falls} falls`;

/** Stands longer; or as long as it was watched, as before, and nearer. */
export function isBetter(after: Performance, before: Performance): boolean {
  if (after.survival !== before.survival) return after.survival > before.survival && after.falls <= before.falls;
  return after.falls <= before.falls && after.maxAbsX < before.maxAbsX;
}
