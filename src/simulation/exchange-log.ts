import { closeSync, openSync, writeSync } from 'node:fs';
import { EdgeError, messageOf } from '../errors.ts';
import type { Message } from '../protocol/messages.gen.ts';
import type { CommandVerdict } from './mcu-commands.ts';

/** One line of the log. */
export type Exchange =
  | { readonly sent: Message; readonly sequence: number; readonly time: number }
  | { readonly received: Message; readonly sequence: number; readonly verdict?: CommandVerdict };

/**
 * What the motor controller sent and received, one JSON object a line, as it was before the wire rounded it or after: the
 * truth that a recording is to be held against.
 */
export class ExchangeLog {
  readonly #file: number;

  /** @throws EdgeError `fileUnreadable` */
  constructor(path: string) {
    try {
      this.#file = openSync(path, 'w');
    } catch (error) {
      throw new EdgeError(
        'fileUnreadable',
        `cannot write ${path}: ${messageOf(error)}`,
        'choose another file for --log',
      );
    }
  }

  write(exchange: Exchange): void {
    writeSync(this.#file, `${JSON.stringify(exchange)}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}
