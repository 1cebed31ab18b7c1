import { Histogram } from '../histogram.ts';

/** Answers that took longer than the time to the next frame. */
export class OverrunCounter {
  /** arrival of a frame to the write of its answer [µs] */
  readonly latency = new Histogram();
  /** all of them since the start */
  total = 0;
  /** the latest ones without one in time between */
  inARow = 0;

  /**
   * @param latencyUs arrival to write [µs]
   * @param periodUs time between frames [µs]; NaN while it is not known
   */
  add(latencyUs: number, periodUs: number): void {
    this.latency.add(latencyUs);
    const late = latencyUs > periodUs;
    this.total += late ? 1 : 0;
    this.inARow = late ? this.inARow + 1 : 0;
  }
}
