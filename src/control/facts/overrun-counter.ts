import { Histogram } from '../../histogram.ts';
import { LatencyWindow } from './latency-window.ts';

/** Answers that came later than the next frame. */
export class OverrunCounter {
  /** arrival of a frame to the write of its answer [µs] */
  readonly latency = new Histogram();
  /** the same, of the latest frames [µs] */
  readonly recent = new LatencyWindow();
  /** all of them since the start */
  total = 0;
  /** the latest ones without one in time between */
  inARow = 0;

  /**
   * @param latencyUs arrival to write [µs]
   * @param periodUs time between frames [µs]; NaN while it is not known
   * @param superseded a newer frame came in the same chunk: it had waited for at least a period before anybody looked
   */
  add(latencyUs: number, periodUs: number, superseded: boolean): void {
    const waitedUs = superseded && periodUs > 0 ? periodUs : 0;
    this.latency.add(latencyUs + waitedUs);
    this.recent.add(latencyUs + waitedUs);
    const late = superseded || latencyUs > periodUs;
    this.total += late ? 1 : 0;
    this.inARow = late ? this.inARow + 1 : 0;
  }
}
