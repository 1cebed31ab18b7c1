import type { Command } from '../protocol/messages.gen.ts';

/** Why commands were ignored, and how many (PROTOCOL.md §6.1). */
export interface CommandsRejected {
  /** of a session that is not the host's in charge, or nobody is in charge */
  wrongSession: number;
  /** answers a frame that is not among the latest ones */
  unknownAnswer: number;
  /** answers the same or an older frame than the last valid command did */
  staleAnswer: number;
  /** its time to live was over when it arrived */
  expired: number;
  /** valid, but asks to be active in a state that does not let it */
  notAllowed: number;
}

export type CommandVerdict = 'valid' | Exclude<keyof CommandsRejected, 'notAllowed'>;

/** The MCU remembers this many of its latest `sensors` frames. */
const framesRemembered = 64;

interface SentFrame {
  readonly sequence: number;
  readonly sampledAt: number;
  /** counts frames without wrapping */
  readonly index: number;
}

/** Decides which commands are valid. Times are MCU time [µs], never wrapped. */
export class CommandGate {
  readonly #sent: SentFrame[] = [];
  #sentCount = 0;
  #newestAnswered = -1;
  #answered = 0;

  /** sequence of the frame that the last valid command answered */
  get answered(): number {
    return this.#answered;
  }

  /** A `sensors` frame went out. */
  sent(sequence: number, sampledAt: number): void {
    this.#sent.push({ sequence, sampledAt, index: this.#sentCount });
    this.#sentCount += 1;
    if (this.#sent.length > framesRemembered) this.#sent.shift();
  }

  /** Another host took charge: what the last one answered counts no more. */
  newSession(): void {
    this.#newestAnswered = -1;
    this.#answered = 0;
  }

  /**
   * Judges a command on its arrival; a valid one becomes the newest.
   * @param session nonce of the host in charge, 0 if none
   * @returns the verdict, and until when [µs] a valid command may be applied
   */
  judge(command: Command, session: number, now: number): { verdict: CommandVerdict; until: number } {
    const no = (verdict: CommandVerdict) => ({ verdict, until: 0 });
    if (session === 0 || command.session !== session) return no('wrongSession');
    const frame = this.#sent.find(({ sequence }) => sequence === command.answers);
    if (!frame) return no('unknownAnswer');
    // by unwrapped index: the same as modulo 2^16 among frames remembered, and no trap after a pause of 2^15 frames
    if (frame.index <= this.#newestAnswered) return no('staleAnswer');
    const until = frame.sampledAt + command.timeToLive;
    if (now >= until) return no('expired');
    this.#newestAnswered = frame.index;
    this.#answered = frame.sequence;
    return { verdict: 'valid', until };
  }
}
