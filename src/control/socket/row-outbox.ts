/** Rows and blocks of the tape that are kept for a reader that is away: half a minute at the fastest sensor rate. */
const CAPACITY = 32_000;
/** Rows written in one tick: catching up must not delay the command that the tick is for. */
const ROWS_PER_TICK = 8;

/** Bytes that are kept at most; rows and tape of half a minute are far below it. */
const MOST_BYTES = 24 << 20;

/** Where rows go: one connection. */
export interface RowReader {
  /** there is room for more */
  ready(): boolean;
  write(bytes: Uint8Array): void;
  /** a block of the tape; one that does not want any leaves it away */
  writeTape?(bytes: Uint8Array): void;
}

interface Kept {
  readonly sequence: number;
  readonly bytes: Uint8Array;
  readonly isTape: boolean;
}

/**
 * Rows on their way to the recorder. A row stays here until the reader says that it is on disk, so a gateway that dies and
 * comes back misses nothing; what no longer fits is a counted gap, and no tick ever waits.
 */
export class RowOutbox {
  readonly counters = {
    /** rows that were made */
    made: 0,
    /** rows written to the reader, repeated ones included */
    sent: 0,
    /** rows that the reader has acknowledged */
    acknowledged: 0,
    /** rows that were pushed out before the reader had acknowledged them */
    lost: 0,
    /** blocks of the tape that were made */
    tapeMade: 0,
    /** blocks of the tape that were pushed out before a later row had been acknowledged */
    tapeLost: 0,
  };
  readonly #capacity: number;
  /** ring of kept rows; row n of all stands in slot n modulo capacity */
  readonly #ring: Array<Kept | undefined>;
  #oldest = 0;
  #next = 0;
  /** the next row to write to the reader */
  #cursor = 0;
  #reader: RowReader | undefined;
  /** of the row that was pushed last */
  #lastRow = -1;
  #bytes = 0;

  constructor(capacity = CAPACITY) {
    this.#capacity = capacity;
    this.#ring = new Array(capacity);
  }

  /** Rows that are kept now. */
  get kept(): number {
    return this.#next - this.#oldest;
  }

  /** A reader begins with the oldest row that nobody has acknowledged. */
  attach(reader: RowReader): void {
    this.#reader = reader;
    this.#cursor = this.#oldest;
  }

  detach(): void {
    this.#reader = undefined;
  }

  /** @param sequence rises from row to row */
  push(sequence: number, bytes: Uint8Array): void {
    this.#lastRow = sequence;
    this.#keep({ sequence, bytes, isTape: false });
    this.counters.made += 1;
  }

  /** A block of the tape takes its place among the rows, and leaves it when a later row is acknowledged. */
  pushTape(bytes: Uint8Array): void {
    this.#keep({ sequence: this.#lastRow + 1, bytes, isTape: true });
    this.counters.tapeMade += 1;
  }

  #keep(kept: Kept): void {
    while (this.kept > 0 && (this.kept === this.#capacity || this.#bytes + kept.bytes.length > MOST_BYTES)) {
      if (this.#forgetOldest()?.isTape) this.counters.tapeLost += 1;
      else this.counters.lost += 1;
    }
    this.#cursor = Math.max(this.#cursor, this.#oldest);
    this.#ring[this.#next % this.#capacity] = kept;
    this.#bytes += kept.bytes.length;
    this.#next += 1;
  }

  #forgetOldest(): Kept | undefined {
    const slot = this.#oldest % this.#capacity;
    const kept = this.#ring[slot];
    this.#ring[slot] = undefined;
    this.#oldest += 1;
    this.#bytes -= kept?.bytes.length ?? 0;
    return kept;
  }

  /** Called once a tick, after its command has gone out. */
  pump(): void {
    const reader = this.#reader;
    for (let count = 0; count < ROWS_PER_TICK && this.#cursor < this.#next && reader?.ready(); count++) {
      const kept = this.#ring[this.#cursor % this.#capacity];
      this.#cursor += 1;
      if (!kept) continue;
      if (kept.isTape) {
        reader.writeTape?.(kept.bytes);
        continue;
      }
      reader.write(kept.bytes);
      this.counters.sent += 1;
    }
  }

  /** All rows up to this sequence are on disk. */
  acknowledge(sequence: number): void {
    while (this.#oldest < this.#next) {
      const kept = this.#ring[this.#oldest % this.#capacity];
      if (kept && kept.sequence > sequence) break;
      if (!this.#forgetOldest()?.isTape) this.counters.acknowledged += 1;
    }
    this.#cursor = Math.max(this.#cursor, this.#oldest);
  }
}
