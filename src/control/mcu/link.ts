import { writeSync } from 'node:fs';
import { Subject } from 'rxjs';
import { SerialPort } from 'serialport';
import { messageOf } from '../../errors.ts';
import type { Chunk } from '../tick.ts';

export interface LinkOptions {
  readonly path: string;
  readonly baudRate: number;
  /** no byte for this long is told to `silent$`, and after thirty times this the port is closed and opened again [ms] */
  readonly silence: number;
  readonly now: () => bigint;
}

export interface LinkHealth {
  /** times the port was opened */
  opens: number;
  /** times it vanished or failed while open */
  losses: number;
  /** times it was closed and opened again because nothing came from it although it looked open */
  silences: number;
  bytesIn: number;
  bytesOut: number;
  /** writes that did not go out whole, because the system's buffer was full or the port was gone; never repeated */
  droppedWrites: number;
  /** why it is not open, or why it was last lost; empty if never */
  lastProblem: string;
}

const FIRST_RETRY = 100;
const LONGEST_RETRY = 1000;
/** silent watchdog periods after which an open port is taken for dead */
const REOPEN_AFTER = 30;

/**
 * The serial port: opened exclusively, reopened by itself, watched for silence. The only host timers of the control
 * process are here, and none of them is between a frame and its answer.
 */
export class SerialLink {
  readonly chunks$ = new Subject<Chunk>();
  /** true when it was opened, false when it was lost */
  readonly open$ = new Subject<boolean>();
  /** true when nothing has come for a while, false when it goes on */
  readonly silent$ = new Subject<boolean>();
  readonly health: LinkHealth = {
    opens: 0,
    losses: 0,
    silences: 0,
    bytesIn: 0,
    bytesOut: 0,
    droppedWrites: 0,
    lastProblem: '',
  };
  readonly #options: LinkOptions;
  #port: SerialPort | undefined;
  #descriptor: number | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryDelay = FIRST_RETRY;
  #watchdog: NodeJS.Timeout | undefined;
  /** whole watchdog periods without a byte; -1 right after one */
  #silentFor = 0;
  /** outlives the port: what comes first after it was opened again ends the silence */
  #toldSilent = false;
  #stopped = true;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#descriptor !== undefined;
  }

  start(): void {
    this.#stopped = false;
    this.#open();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    clearInterval(this.#watchdog);
    const port = this.#port;
    this.#port = undefined;
    this.#descriptor = undefined;
    if (port?.isOpen) await new Promise<void>((resolve) => port.close(() => resolve()));
  }

  /**
   * Writes at once, past serialport's queue: a command that cannot go out now must not go out later, and the MCU drops
   * the torn one by its CRC.
   * @returns whether all of it went out
   */
  write(bytes: Uint8Array): boolean {
    if (this.#descriptor === undefined) return false;
    try {
      const written = writeSync(this.#descriptor, bytes);
      this.health.bytesOut += written;
      if (written === bytes.length) return true;
    } catch (error) {
      this.health.lastProblem = messageOf(error);
    }
    this.health.droppedWrites += 1;
    return false;
  }

  #open(): void {
    const { path, baudRate } = this.#options;
    const port = new SerialPort({ path, baudRate, autoOpen: false, lock: true, hupcl: false });
    this.#port = port;
    port.on('data', (bytes: Buffer) => {
      // A port that was given up may still have something to say.
      if (this.#port !== port) return;
      this.#silentFor = -1;
      if (this.#toldSilent) {
        this.#toldSilent = false;
        this.silent$.next(false);
      }
      this.health.bytesIn += bytes.length;
      this.chunks$.next({ bytes, arrivedNs: this.#options.now() });
    });
    port.on('close', (error: Error | null) => this.#lost(port, error?.message ?? 'the port was closed'));
    port.on('error', (error: Error) => this.#lost(port, error.message));
    port.open((error) => {
      if (error) return this.#lost(port, error.message);
      if (this.#stopped || this.#port !== port) return port.close(() => {});
      this.#descriptor = descriptorOf(port);
      this.#retryDelay = FIRST_RETRY;
      this.health.opens += 1;
      this.#watch();
      this.open$.next(true);
    });
  }

  #watch(): void {
    clearInterval(this.#watchdog);
    this.#silentFor = -1;
    this.#watchdog = setInterval(() => {
      this.#silentFor += 1;
      if (this.#silentFor === 1 && !this.#toldSilent) {
        this.#toldSilent = true;
        this.silent$.next(true);
      }
      if (this.#silentFor < REOPEN_AFTER || !this.#port) return;
      this.health.silences += 1;
      const dead = this.#port;
      this.#lost(dead, `nothing came for ${REOPEN_AFTER * this.#options.silence} ms`);
      if (dead.isOpen) dead.close(() => {});
    }, this.#options.silence);
  }

  #lost(port: SerialPort, problem: string): void {
    if (this.#port !== port) return;
    this.health.lastProblem = problem;
    const wasOpen = this.#descriptor !== undefined;
    this.#port = undefined;
    this.#descriptor = undefined;
    clearInterval(this.#watchdog);
    if (wasOpen) {
      this.health.losses += 1;
      this.open$.next(false);
    }
    if (this.#stopped) return;
    this.#retry = setTimeout(() => this.#open(), this.#retryDelay);
    this.#retryDelay = Math.min(this.#retryDelay * 2, LONGEST_RETRY);
  }
}

/** Descriptor of an open port. serialport's Linux and macOS bindings carry it as `fd`. */
function descriptorOf(port: SerialPort): number | undefined {
  const binding = port.port;
  return binding && 'fd' in binding && typeof binding.fd === 'number' ? binding.fd : undefined;
}
