import { constants, readSync } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { messageOf } from '../../../errors.ts';
import type { StopInputConfig } from '../../../messages/config.ts';
import { type ButtonParser, inputEventParser, joystickParser } from './button-events.ts';
import { type Press, PressWatch } from './press-watch.ts';

type Kind = Exclude<StopInputConfig['kind'], 'auto'>;

interface OpenInput {
  readonly kind: Kind;
  readonly descriptor: number;
  readonly close: () => Promise<void>;
  /** which file it is, to notice that another took its place */
  readonly identity: string;
  readonly isPipe: boolean;
  readonly parser: ButtonParser | undefined;
  readonly watch: PressWatch;
}

/** Any byte in a pipe. */
const WRITTEN_TO: Press = { kind: 'stop', why: 'written to' };
/** Bytes that are looked at in one turn of the event loop, of each input: 200 kB/s, twice what a fast mouse gives. */
const MOST_BYTES = 1024;
const buffer = Buffer.alloc(MOST_BYTES);

/**
 * One joystick, button or named pipe. It is read without waiting, on control's own thread: a read that finds nothing takes
 * 5 µs there (measured), and one that waited would keep a thread of libuv's pool for ever. Only opening it and looking
 * whether it is still there go through the pool.
 */
export class StopInput {
  /** why it is not read; empty while it is */
  problem = 'not open yet';
  /** presses, or bytes of a pipe, that stopped */
  stops = 0;
  readonly config: StopInputConfig;
  #open: OpenInput | undefined;

  constructor(config: StopInputConfig) {
    this.config = config;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  get kind(): string {
    return this.#open?.kind ?? this.config.kind;
  }

  /** Buttons that stop and are held down. */
  get held(): number[] {
    return this.#open?.watch.held ?? [];
  }

  /** One look, at most `MOST_BYTES`; never waits, never throws. @returns what somebody wants, if anything */
  poll(): Press | undefined {
    const input = this.#open;
    if (!input) return undefined;
    let length = 0;
    try {
      length = readSync(input.descriptor, buffer, 0, MOST_BYTES, null);
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return undefined;
      this.#lose(messageOf(error));
      return undefined;
    }
    if (length === 0) {
      // Nobody has the pipe open for writing. A device does not end.
      if (input.isPipe) input.parser?.reset();
      else this.#lose('it has ended: it is gone, or was no input device');
      return undefined;
    }
    const press = input.parser ? input.watch.see(input.parser.push(buffer.subarray(0, length))) : WRITTEN_TO;
    if (press?.kind === 'stop') this.stops += 1;
    // Whoever may write to a pipe may be anywhere; a device is where the robot is.
    return press?.kind === 'confirm' && input.isPipe ? undefined : press;
  }

  /** Opens it if it is not open, and closes it if what is at its path is something else now. Never rejects. */
  async check(): Promise<void> {
    try {
      const { path } = this.config;
      const at = await stat(path);
      if (this.#open && this.#open.identity !== identityOf(at)) this.#lose('something else is at its path now');
      if (!this.#open) {
        this.#open = await openInput(this.config);
        this.problem = '';
      }
    } catch (error) {
      this.#lose(messageOf(error));
    }
  }

  async close(): Promise<void> {
    const input = this.#open;
    this.#open = undefined;
    await input?.close();
  }

  #lose(problem: string): void {
    this.problem = problem;
    void this.close().catch(() => {});
  }
}

async function openInput({ path, kind: wanted, ...buttons }: StopInputConfig): Promise<OpenInput> {
  // O_NONBLOCK also for opening: a pipe that nobody writes to would keep the caller waiting.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const at = await file.stat();
    if (!at.isFIFO() && !at.isCharacterDevice()) throw new Error('it is neither a device nor a named pipe');
    const kind = wanted === 'auto' ? kindOf(at.isFIFO(), basename(await realpath(path))) : wanted;
    if (kind === undefined) {
      throw new Error('it is not named as joysticks and event devices are; say which `kind` of input it is');
    }
    const parser = kind === 'joystick' ? joystickParser() : kind === 'event' ? inputEventParser() : undefined;
    return {
      kind,
      descriptor: file.fd,
      close: () => file.close(),
      identity: identityOf(at),
      isPipe: at.isFIFO(),
      parser,
      watch: new PressWatch(buttons),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function kindOf(isPipe: boolean, name: string): Kind | undefined {
  if (isPipe) return 'pipe';
  if (/^js\d+$/.test(name)) return 'joystick';
  return /^event\d+$/.test(name) ? 'event' : undefined;
}

const identityOf = ({ dev, ino, rdev }: { dev: number; ino: number; rdev: number }) => `${dev}:${ino}:${rdev}`;

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? error.code : undefined);
