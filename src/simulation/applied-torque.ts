type Pair = readonly [left: number, right: number];

/** Which wheel torque was in force since the previous sample: of several, the one in force longest, of equals the latest. */
export class AppliedTorque {
  #spans: { torque: Pair; steps: number }[] = [];
  #latest: Pair = [0, 0];

  /** One millisecond with this torque. */
  record(torque: Pair): void {
    this.#latest = torque;
    const last = this.#spans.at(-1);
    if (last && last.torque[0] === torque[0] && last.torque[1] === torque[1]) last.steps += 1;
    else this.#spans.push({ torque, steps: 1 });
  }

  /** The answer for the interval that ends now; the next one begins. */
  take(): Pair {
    let longest = { torque: this.#latest, steps: 0 };
    for (const span of this.#spans) if (span.steps >= longest.steps) longest = span;
    this.#spans = [];
    return longest.torque;
  }
}
