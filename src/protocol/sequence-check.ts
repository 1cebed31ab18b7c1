/** Out-of-order frames in a row, each following the one before, after which the sender is taken to count anew. */
export const RESYNCHRONISE_AFTER = 8;

export type SequenceVerdict =
  | { readonly is: 'next'; readonly lost: number }
  | { readonly is: 'resynchronised'; readonly lost: 0 }
  | { readonly is: 'duplicated' }
  | { readonly is: 'outOfOrder' };

const RESYNCHRONISED: SequenceVerdict = { is: 'resynchronised', lost: 0 };
const DUPLICATED: SequenceVerdict = { is: 'duplicated' };
const OUT_OF_ORDER: SequenceVerdict = { is: 'outOfOrder' };
const NEXT: SequenceVerdict = { is: 'next', lost: 0 };

/** Judges the sequences of one message type modulo 2^16 (PROTOCOL.md §3.10 to §3.13). */
export class SequenceCheck {
  #last: number | undefined;
  #run = 0;
  #runNext = 0;

  judge(sequence: number): SequenceVerdict {
    if (this.#last === undefined) return this.#accept(sequence, NEXT);
    const ahead = (sequence - this.#last) & 0xffff;
    // §3.10: the same frame again
    if (ahead === 0) return DUPLICATED;
    // §3.11: up to half the circle ahead is newer; what lies between was lost
    if (ahead < 0x8000) return this.#accept(sequence, ahead === 1 ? NEXT : { is: 'next', lost: ahead - 1 });
    // §3.12: the other half is older
    this.#run = sequence === this.#runNext ? this.#run + 1 : 1;
    this.#runNext = (sequence + 1) & 0xffff;
    // §3.13: a line reorders a few frames, only a restarted sender delivers a whole run in order
    return this.#run < RESYNCHRONISE_AFTER ? OUT_OF_ORDER : this.#accept(sequence, RESYNCHRONISED);
  }

  #accept(sequence: number, verdict: SequenceVerdict): SequenceVerdict {
    this.#last = sequence;
    this.#run = 0;
    return verdict;
  }
}
