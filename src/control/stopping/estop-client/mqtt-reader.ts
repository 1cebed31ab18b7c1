import { type Packet, parser } from 'mqtt-packet';
import { messageOf } from '../../../errors.ts';

/** A published message, as far as it was looked at. */
export interface Publication {
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  /** to be acknowledged with; 0 at QoS 0 */
  readonly messageId: number;
  /** the beginning of the payload; borrowed, valid only during the call */
  readonly payload: Uint8Array;
  /** length of the whole payload [bytes] */
  readonly length: number;
}

export interface PacketListener {
  published(publication: Publication): void;
  /** any other packet */
  received(packet: Packet): void;
}

/** So much of a packet is kept; what is longer is skipped unread. */
const HEAD = 4096;
/** MQTT 5 §2.1.2: the packet type of PUBLISH */
const PUBLISH = 3;

/**
 * Splits what a broker sends into packets, in bounded memory however long they are: of a message only the head is kept,
 * which says what topic it is on, and that is all that an e-stop needs. Everything that is not a message is short and goes
 * through mqtt-packet, which would otherwise hold a message of up to 256 MB before it says a word of it.
 */
export class PacketReader {
  readonly #listener: PacketListener;
  readonly #head = Buffer.allocUnsafe(HEAD);
  readonly #parser = parser({ protocolVersion: 5 });
  #filled = 0;
  #skip = 0;
  #problem: string | undefined;

  constructor(listener: PacketListener) {
    this.#listener = listener;
    this.#parser.on('packet', (packet) => listener.received(packet));
    this.#parser.on('error', (error: unknown) => {
      this.#problem = messageOf(error);
    });
  }

  /** @returns why this is not MQTT, or `undefined`; after a problem the connection is of no more use. Never throws. */
  push(bytes: Uint8Array): string | undefined {
    let at = 0;
    while (at < bytes.length && this.#problem === undefined) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, bytes.length - at);
        this.#skip -= skipped;
        at += skipped;
        continue;
      }
      const copied = Math.min(this.#wanted() - this.#filled, bytes.length - at);
      this.#head.set(bytes.subarray(at, at + copied), this.#filled);
      this.#filled += copied;
      at += copied;
      this.#tryPacket();
    }
    return this.#problem;
  }

  /** Bytes that the head must hold before the next look at it: the fixed header byte by byte, then all or the most. */
  #wanted(): number {
    const total = this.#total();
    return total === undefined ? this.#filled + 1 : Math.min(total, HEAD);
  }

  /** Length of the packet with its fixed header, if that is complete. MQTT 5 §1.5.5: a variable byte integer from byte 1. */
  #total(): number | undefined {
    const remaining = variableByteInteger(this.#head, 1, this.#filled);
    return typeof remaining === 'object' ? remaining.value + remaining.next : undefined;
  }

  #tryPacket(): void {
    if (variableByteInteger(this.#head, 1, this.#filled) === 'malformed') {
      this.#problem = 'malformed packet length';
      return;
    }
    const total = this.#total();
    if (total === undefined || this.#filled < Math.min(total, HEAD)) return;
    this.#skip = total - this.#filled;
    const packet = this.#head.subarray(0, this.#filled);
    this.#filled = 0;
    if (packet.readUInt8(0) >> 4 === PUBLISH) this.#publish(packet, total);
    else if (this.#skip > 0) this.#problem = `a packet of ${total} bytes that is not a message`;
    else this.#parse(packet);
  }

  /** MQTT 5 §3.3.2: topic name, packet identifier at QoS 1 and 2, properties; the rest is payload. */
  #publish(packet: Buffer, total: number): void {
    const qos = (packet.readUInt8(0) >> 1) & 3;
    const header = variableByteInteger(packet, 1, packet.length);
    if (typeof header !== 'object' || qos === 3 || packet.length < header.next + 2) {
      this.#problem = 'malformed message';
      return;
    }
    const topicEnd = header.next + 2 + packet.readUInt16BE(header.next);
    const identifierEnd = topicEnd + (qos > 0 ? 2 : 0);
    const properties = variableByteInteger(packet, identifierEnd, packet.length);
    if (identifierEnd > packet.length || typeof properties !== 'object') {
      this.#problem = 'malformed message';
      return;
    }
    const payloadStart = properties.next + properties.value;
    if (payloadStart > total) {
      this.#problem = 'malformed message';
      return;
    }
    this.#listener.published({
      topic: packet.toString('utf8', header.next + 2, topicEnd),
      qos,
      retain: (packet.readUInt8(0) & 1) === 1,
      messageId: qos > 0 ? packet.readUInt16BE(topicEnd) : 0,
      payload: packet.subarray(Math.min(payloadStart, packet.length)),
      length: total - payloadStart,
    });
  }

  #parse(packet: Buffer): void {
    try {
      // The parser keeps what it is given; the head is used again.
      this.#parser.parse(Buffer.from(packet));
    } catch (error) {
      this.#problem = messageOf(error);
    }
  }
}

/** MQTT 5 §1.5.5: seven bits a byte, lowest first, at most four bytes. */
function variableByteInteger(
  bytes: Buffer,
  start: number,
  end: number,
): { readonly value: number; readonly next: number } | 'incomplete' | 'malformed' {
  let value = 0;
  for (let index = 0; index < 4; index += 1) {
    if (start + index >= end) return 'incomplete';
    const byte = bytes.readUInt8(start + index);
    value += (byte & 0x7f) * 128 ** index;
    if ((byte & 0x80) === 0) return { value, next: start + index + 1 };
  }
  return 'malformed';
}
