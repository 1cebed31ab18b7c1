import { Histogram } from '../histogram.ts';
import { FrameDecoder } from '../protocol/frame.ts';

/** frames whose answers are timed */
const framesRemembered = 64;

/** Listens to the bytes of both directions at the port, by the host's clock [ms]: how long do answers take, and has this one come? */
export class AnswerTap {
  readonly #decoder = new FrameDecoder({ from: 'host' });
  readonly #written = new Map<number, number>();
  readonly #latency = new Histogram();
  #session = 0;
  #unanswered = 0;
  #waiting: { readonly sequence: number; readonly resolve: () => void } | undefined;

  /** `sensors` frames that went to the port since a command came from it. */
  get unansweredInARow(): number {
    return this.#unanswered;
  }

  /** A `sensors` frame went to the port. */
  wrote(sequence: number, at: number): void {
    this.#unanswered += 1;
    this.#written.delete(sequence);
    this.#written.set(sequence, at);
    for (const oldest of this.#written.keys()) {
      if (this.#written.size <= framesRemembered) break;
      this.#written.delete(oldest);
    }
  }

  /** Bytes came from the port. */
  heard(bytes: Uint8Array, at: number): void {
    for (const { message } of this.#decoder.push(bytes)) {
      if (message.kind !== 'command') continue;
      this.#session = message.session;
      this.#unanswered = 0;
      const written = this.#written.get(message.answers);
      if (written === undefined) continue;
      this.#written.delete(message.answers);
      this.#latency.add((at - written) * 1000);
      if (this.#waiting?.sequence === message.answers) this.#release();
    }
  }

  /** Nonce of the host whose command was heard last, 0 before the first. */
  get session(): number {
    return this.#session;
  }

  /** The frame went to the port and its answer has not come. */
  awaits(sequence: number): boolean {
    return this.#written.has(sequence);
  }

  /** Resolves when the frame is answered, or after `milliseconds`. */
  async answerTo(sequence: number, milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        // Its host is dead or deaf: it is not waited for again until it commands again.
        this.#session = 0;
        resolve();
      }, milliseconds);
      this.#waiting = {
        sequence,
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
      };
    });
    this.#waiting = undefined;
  }

  /** Nobody need wait for an answer: the port is gone, or all ends. */
  giveUp(): void {
    this.#release();
    this.#written.clear();
    this.#session = 0;
    this.#decoder.reset();
  }

  /** [µs] from a frame's last byte written to its command read */
  latencyUs(): { p50: number; p99: number; max: number; count: number } {
    const { p50, p99, max, count } = this.#latency.summary();
    return { p50, p99, max, count };
  }

  #release(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
