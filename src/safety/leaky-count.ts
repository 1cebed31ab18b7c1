/** Events of about the latest second: the count leaks away with that time constant. */
export class LeakyCount {
  value = 0;
  #total: number | undefined;

  /**
   * @param total so many events since the start
   * @param dt since the call before [s]
   */
  update(total: number, dt: number): void {
    const fresh = Math.max(0, total - (this.#total ?? total));
    this.#total = total;
    this.value = this.value * Math.max(0, 1 - Math.max(0, dt)) + fresh;
  }
}
