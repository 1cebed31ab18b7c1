import { crc32 } from 'node:zlib';
import { cobsEncode } from '../../src/protocol/cobs.ts';
import { type Field, type Message, type Protocol, payloadSize, readProtocol } from '../generate/schema.ts';

export interface Stream {
  readonly from: 'host' | 'mcu';
  readonly bytes: Uint8Array;
}

/** Makes streams of frames that are right, nearly right and not right at all, the same ones for the same seed. */
export class StreamMaker {
  readonly #messages: readonly Message[];
  readonly #enums: Protocol['enums'];
  readonly #plain = new Uint8Array(256);
  readonly #view = new DataView(this.#plain.buffer);
  readonly #line = new Uint8Array(8192);
  #length = 0;
  #state: number;
  /** of the frames of this stream */
  #sequence = 0;

  constructor(seed: number) {
    this.#state = seed | 1;
    const protocol = readProtocol();
    this.#messages = Object.values(protocol.messages);
    this.#enums = protocol.enums;
  }

  next(): Stream {
    this.#length = 0;
    this.#sequence = this.#below(0x10000);
    const from = this.#below(2) === 0 ? 'host' : 'mcu';
    const fitting = this.#messages.filter(({ direction }) => direction === 'both' || direction.startsWith(from));
    // Most streams are of one type, so that sequences are judged.
    const favourite = this.#pick(fitting);
    // A long stretch out of order ends in a resynchronisation.
    if (this.#below(24) === 0) this.#restart(favourite);
    for (let pieces = 1 + this.#below(4); pieces > 0; pieces--) {
      const message = this.#below(8) > 0 ? favourite : this.#pick(this.#below(8) > 0 ? fitting : this.#messages);
      this.#piece(message);
    }
    return { from, bytes: this.#line.slice(0, this.#length) };
  }

  #restart(message: Message): void {
    this.#frame(message);
    this.#sequence = (this.#sequence + 0x9000) & 0xffff;
    for (let i = 6 + this.#below(4); i > 0; i--) this.#frame(message);
  }

  #piece(message: Message): void {
    const start = this.#length;
    switch (this.#below(12)) {
      case 0: // noise
        for (let i = this.#below(40); i > 0; i--) this.#put(this.#below(256));
        break;
      case 1: // too long, or nearly
        for (let i = 100 + this.#below(30); i > 0; i--) this.#put(1 + this.#below(255));
        this.#put(0);
        break;
      case 2: {
        // intact, but of any type or a wrong length
        const size = this.#below(90);
        this.#plain[0] = this.#below(4) > 0 ? message.type : this.#below(256);
        const fits = this.#messages.some((each) => each.type === this.#plain[0] && payloadSize(each) === size);
        this.#finish(7 + (fits ? size + 1 : size));
        break;
      }
      case 3: // intact, too short for a frame: the CRC has the rest to itself
        this.#stuff(this.#below(11));
        break;
      case 4: // the same again
        this.#frame(message);
        this.#line.copyWithin(this.#length, start, this.#length);
        this.#length += this.#length - start;
        break;
      case 5: // a few lost, or an old one
        this.#sequence = (this.#sequence + (this.#below(2) === 0 ? this.#below(9) : -this.#below(9))) & 0xffff;
        this.#frame(message);
        break;
      case 6: // bits flipped on the wire
        this.#frame(message);
        for (let i = 1 + this.#below(3); i > 0; i--) this.#flip(start);
        break;
      case 7: // bytes that got lost on the wire
        this.#frame(message);
        this.#length -= 1 + this.#below(this.#length - start);
        break;
      default:
        this.#frame(message);
    }
  }

  #frame(message: Message): void {
    this.#plain[0] = message.type;
    let at = 7;
    for (const field of message.fields) at = this.#field(field, at);
    this.#finish(7 + payloadSize(message));
  }

  #field(field: Field, from: number): number {
    const size = { u8: 1, i8: 1, char: 1, u16: 2, i16: 2, u32: 4, i32: 4 }[field.type] * (field.count ?? 1);
    const end = from + size;
    for (let at = from; at < end; at++) this.#plain[at] = this.#below(256);
    if (field.type === 'char') {
      // UTF-8 is TypeScript's to mend and C's to hand on: here only what both leave alone.
      const length = this.#below(size + 1);
      for (let at = from; at < end; at++) this.#plain[at] = at < from + length ? 1 + this.#below(127) : 0;
    }
    const values = field.enum ? this.#enums[field.enum]?.values.length : field.bits ? 6 : undefined;
    // Now and then a number without a name.
    if (values !== undefined && this.#below(16) > 0) {
      const other = field.bits ? this.#below(32) * 8 : 0;
      this.#plain[from] = this.#below(values) + other;
    }
    return end;
  }

  /** Header and CRC around a payload that ends at `crcAt`. */
  #finish(crcAt: number): void {
    this.#view.setUint16(1, this.#sequence, true);
    this.#view.setUint32(3, this.#random(), true);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#view.setUint32(crcAt, crc32(this.#plain.subarray(0, crcAt)), true);
    this.#stuff(crcAt + 4);
  }

  #stuff(length: number): void {
    if (length === 0) return;
    this.#length += cobsEncode(this.#plain.subarray(0, length), this.#line.subarray(this.#length));
    this.#put(0);
  }

  #flip(from: number): void {
    const at = from + this.#below(this.#length - from);
    this.#line[at] = (this.#line[at] ?? 0) ^ (1 << this.#below(8));
  }

  #put(byte: number): void {
    this.#line[this.#length++] = byte;
  }

  #pick<T>(items: readonly T[]): T {
    const item = items[this.#below(items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  #below(limit: number): number {
    return this.#random() % limit;
  }

  /** xorshift32 (Marsaglia, Journal of Statistical Software 8(14), 2003) */
  #random(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
}
