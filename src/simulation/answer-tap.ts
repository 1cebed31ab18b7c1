import { Histogram } from '../histogram.ts';
import { FrameDecoder } from '../protocol/frame.ts';

/** frames whose answers are timed */
const framesRemembered = 64;

/** Listens to the bytes of both directions at the port, by the host's clock [ms]: how long do answers take, and has this one come? */
export class AnswerTap {
  readonly #decoder = new FrameDecoder({ from: 'host' });
  /** decides as the host's own receiver does: a frame that it must refuse is not waited for */
  readonly #hostsEar = new FrameDecoder({ from: 'mcu' });
  readonly #written = new Map<number, number>();
  readonly #latency = new Histogram();
  #session = 0;
  #unanswered = 0;
  #newest: number | undefined;
  #greeted = false;
  /** it has greeted and has not been answered: until then it answers no frame (PROTOCOL.md §4.1) */
  #waitsForHello = false;
  #deaf = false;
  #waiting: { readonly isOver: () => boolean; readonly resolve: () => void } | undefined;

  /** `sensors` frames that went to the port since a command came from it. */
  get unansweredInARow(): number {
    return this.#unanswered;
  }

  /** Bytes went to the port. */
  wrote(bytes: Uint8Array, at: number): void {
    for (const { message, sequence } of this.#hostsEar.push(bytes)) {
      // PROTOCOL.md §4.1: a host greets an MCU that has started anew
      if (message.kind === 'hello') this.#helloWritten(message.peerNonce);
      if (message.kind === 'sensors') this.#wrote(sequence, at);
    }
  }

  #helloWritten(peerNonce: number): void {
    if (peerNonce === 0) this.#greeted = true;
    else this.#waitsForHello = false;
  }

  #wrote(sequence: number, at: number): void {
    if (this.#waitsForHello) return;
    this.#newest = sequence;
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
      this.#deaf = false;
      if (message.kind === 'hello') this.#greetingHeard();
      if (message.kind === 'command') this.#answered(message.session, message.answers, at);
    }
    if (this.#waiting?.isOver()) this.#release();
  }

  #greetingHeard(): void {
    // frames that came between a restart and the greeting are not taken for true, and not answered
    if (this.#greeted) this.#written.clear();
    this.#greeted = false;
    this.#waitsForHello = true;
  }

  #answered(session: number, answers: number, at: number): void {
    this.#session = session;
    this.#unanswered = 0;
    const written = this.#written.get(answers);
    if (written === undefined) return;
    this.#written.delete(answers);
    this.#latency.add((at - written) * 1000);
  }

  /** Nonce of the host whose command was heard last, 0 before the first. */
  get session(): number {
    return this.#session;
  }

  /** An MCU that has started anew has said so, and no host has greeted it since. */
  get greeted(): boolean {
    return this.#greeted;
  }

  /** No host is there to greet it. */
  giveUpGreeting(): void {
    this.#greeted = false;
  }

  /** Something that a host answers went to the port, its newest `sensors` frame or a greeting, and the answer has not come. */
  get owed(): boolean {
    return this.#greeted || (this.#newest !== undefined && this.#written.has(this.#newest));
  }

  /** The host was waited for in vain and has not been heard since. */
  get deaf(): boolean {
    return this.#deaf;
  }

  /** Resolves when nothing is owed any more, or after `milliseconds`. */
  async answer(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        // Its host is dead or deaf: it is not waited for again until it commands again.
        this.#session = 0;
        this.#deaf = true;
        this.#greeted = false;
        resolve();
      }, milliseconds);
      this.#waiting = {
        isOver: () => !this.owed,
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
    this.#greeted = false;
    this.#waitsForHello = false;
    this.#decoder.reset();
    this.#hostsEar.reset();
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
