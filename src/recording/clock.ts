/** Time as the recorder sees it; tests pass a virtual one. */
export interface RecorderClock {
  /** wall clock [ns since 1970] */
  wallNs(): bigint;
  /** a clock that never goes back [ms] */
  monotonicMs(): number;
  /**
   * Does something once, later.
   * @param delay [ms]
   * @returns what cancels it
   */
  after(delay: number, action: () => void): () => void;
}

/** The clocks of this machine. */
export const systemClock: RecorderClock = {
  wallNs: () => BigInt(Date.now()) * 1_000_000n,
  monotonicMs: () => performance.now(),
  after: (delay, action) => {
    const timer = setTimeout(action, delay);
    return () => clearTimeout(timer);
  },
};
