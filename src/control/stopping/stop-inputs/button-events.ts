import { endianness } from 'node:os';

/** One button or key, as an event says it is now. */
export interface ButtonChange {
  /** button number of a joystick, key code of an event device */
  readonly button: number;
  readonly pressed: boolean;
  /** not something that happened: how the button was found when the device was opened, or after events were lost */
  readonly initial: boolean;
}

/** What a chunk of bytes said. */
export interface ButtonNews {
  readonly changes: readonly ButtonChange[];
  /** the kernel says that events were lost, so a press may be among them */
  readonly lost: boolean;
}

/** Parses what one kind of device gives; keeps the rest of an event that has not come whole. */
export interface ButtonParser {
  push(bytes: Buffer): ButtonNews;
  /** Whoever wrote is gone: half an event will not be completed. */
  reset(): void;
}

/**
 * linux/joystick.h, struct js_event, 8 bytes on every platform: u32 time [ms], s16 value, u8 type, u8 number. Type 1 is a
 * button, 2 an axis; bit 7 marks what is made up when the device is opened, and again after its queue overflowed.
 */
const JS_EVENT_BYTES = 8;
const JS_EVENT_BUTTON = 0x01;
const JS_EVENT_INIT = 0x80;

/**
 * linux/input.h, struct input_event: time, u16 type, u16 code, s32 value. The time is two kernel longs, so the struct has
 * 24 bytes for a 64-bit process and 16 for a 32-bit one, also where `time_t` has 64 bits and on a 64-bit kernel.
 */
const EV_SYN = 0;
const SYN_DROPPED = 3;
const EV_KEY = 1;

/** Architectures on which this process would be a 32-bit one. */
const NARROW: readonly string[] = ['arm', 'ia32', 'mips', 'mipsel'];

/** Bytes of a struct input_event as the kernel gives it to this process. */
export const inputEventBytes = (arch: string = process.arch): 16 | 24 => (NARROW.includes(arch) ? 16 : 24);

type Endianness = 'LE' | 'BE';

export interface InputEventParserOptions {
  readonly bytes?: 16 | 24;
  readonly endian?: Endianness;
}

/** Cuts a stream into events of one length. */
class EventCutter {
  readonly #length: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(length: number) {
    this.#length = length;
  }

  cut(bytes: Buffer): Buffer[] {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const whole = all.length - (all.length % this.#length);
    // A copy: the caller reads into the same memory again.
    this.#rest = Buffer.from(all.subarray(whole));
    const events: Buffer[] = [];
    for (let at = 0; at < whole; at += this.#length) events.push(all.subarray(at, at + this.#length));
    return events;
  }

  reset(): void {
    this.#rest = Buffer.alloc(0);
  }
}

/** For `/dev/input/js…`. */
export function joystickParser(endian: Endianness = endianness()): ButtonParser {
  const cutter = new EventCutter(JS_EVENT_BYTES);
  return {
    push(bytes) {
      const changes: ButtonChange[] = [];
      for (const event of cutter.cut(bytes)) {
        const type = event.readUInt8(6);
        if ((type & ~JS_EVENT_INIT) !== JS_EVENT_BUTTON) continue;
        const value = endian === 'LE' ? event.readInt16LE(4) : event.readInt16BE(4);
        changes.push({
          button: event.readUInt8(7),
          pressed: value !== 0,
          initial: (type & JS_EVENT_INIT) !== 0,
        });
      }
      return { changes, lost: false };
    },
    reset: () => cutter.reset(),
  };
}

/** For `/dev/input/event…`. A key that repeats itself is pressed. */
export function inputEventParser({
  bytes: length = inputEventBytes(),
  endian = endianness(),
}: InputEventParserOptions = {}): ButtonParser {
  const cutter = new EventCutter(length);
  const time = length - 8;
  return {
    push(bytes) {
      const changes: ButtonChange[] = [];
      let lost = false;
      for (const event of cutter.cut(bytes)) {
        const type = endian === 'LE' ? event.readUInt16LE(time) : event.readUInt16BE(time);
        const code = endian === 'LE' ? event.readUInt16LE(time + 2) : event.readUInt16BE(time + 2);
        const value = endian === 'LE' ? event.readInt32LE(time + 4) : event.readInt32BE(time + 4);
        if (type === EV_SYN && code === SYN_DROPPED) lost = true;
        if (type === EV_KEY) changes.push({ button: code, pressed: value !== 0, initial: false });
      }
      return { changes, lost };
    },
    reset: () => cutter.reset(),
  };
}
