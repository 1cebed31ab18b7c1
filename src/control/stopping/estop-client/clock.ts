/** Time as the network parts of control see it; passed in, so that tests need not wait. Never used on the tick path. */
export interface Clock {
  /** wall clock [ms since 1970], for what people read */
  wall(): number;
  /** monotonic [ms] */
  now(): number;
  /** runs `work` once after so many milliseconds; @returns what calls it off */
  after(milliseconds: number, work: () => void): () => void;
}

export const systemClock: Clock = {
  wall: () => Date.now(),
  now: () => performance.now(),
  after: (milliseconds, work) => {
    const timer = setTimeout(work, milliseconds);
    return () => clearTimeout(timer);
  },
};
