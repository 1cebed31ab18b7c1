import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../random.ts';
import { AnswerTap } from './answer-tap.ts';
import { ControlSocket } from './control-socket.ts';
import { ExchangeLog } from './exchange-log.ts';
import { openPty, type Pty } from './pty.ts';
import { checkOptions, type RobotSimOptions } from './robot-sim-options.ts';
import { SimCore } from './sim-core.ts';
import type { SimReply, SimRequest } from './sim-requests.ts';

export type { RobotSimOptions } from './robot-sim-options.ts';

/** Frames without an answer that are a stall: a command outlives that at every rate that a robot may have. */
const STALL_FRAMES = 4;
/** A frame's answer is waited for this long when in lockstep [ms]. */
const lockstepPatience = 1000;
/** and for this long at stepped pace, where nobody waits for the host but whoever asked for the step [ms] */
const steppedPatience = 10_000;
/** After this silence nobody is taken to listen: what a UART sends then is lost, and not kept for whoever opens the port [ms]. */
const listeningMilliseconds = 2000;

/** A simulated robot on a serial port, with a control socket beside it. */
export class RobotSim {
  readonly #options: RobotSimOptions;
  readonly #periodMicros: number;
  readonly #rate: number;
  readonly #tap = new AnswerTap();
  readonly #random: Random;
  readonly socketPath: string;
  #core: SimCore | undefined;
  /** what takes the place of `core` when no time passes */
  #next: { readonly core: SimCore; readonly resolve: () => void } | undefined;
  #lives = 0;
  #socket: ControlSocket | undefined;
  #pty: Pty | undefined;
  #log: ExchangeLog | undefined;
  #slips = 0;
  /** frames that found nobody listening */
  #unheard = 0;
  #heardAt = Number.NEGATIVE_INFINITY;
  /** host time at which MCU time was 0, had it never slipped [ms] */
  #epoch = 0;
  /** MCU time to pass at stepped pace, as `elapsed` [µs] */
  #step: { readonly until: number; readonly patience: number; readonly resolve: () => void } | undefined;
  #wake: (() => void) | undefined;
  #running = false;
  #stopped: Promise<void> | undefined;

  /** @throws EdgeError `usage` */
  constructor(options: RobotSimOptions) {
    this.#options = options;
    this.#rate = checkOptions(options).rate;
    this.#periodMicros = 1_000_000 / this.#rate;
    this.#random = new Random((options.seed ?? 1) ^ 0x6a7ba6e);
    this.socketPath = options.socket ?? join(tmpdir(), `h2o-robot-sim-${process.pid}.sock`);
  }

  /** Path of the port now, or its link; undefined while unplugged. */
  get port(): string | undefined {
    return this.#pty && (this.#options.link ?? this.#pty.path);
  }

  /**
   * Opens port and socket and lets time run.
   * @throws EdgeError `ptyUnavailable`, `portUnavailable`, `simulatorMissing`, `modelNotLoadable`, `gapInvalid`, `logInvalid`, `fileUnreadable`
   */
  async start(): Promise<void> {
    this.#log = this.#options.log === undefined ? undefined : new ExchangeLog(this.#options.log);
    const core = await this.#newCore(this.#options.seed);
    this.#core = core;
    const socket = new ControlSocket(this.socketPath, (request) => this.#handle(request));
    try {
      await this.#plug();
      await socket.start();
    } catch (error) {
      await this.#pty?.close();
      core.delete();
      throw error;
    }
    this.#socket = socket;
    core.mcu.boot();
    this.#running = true;
    this.#stopped = this.#run();
  }

  /** @param seed default as the options say */
  #newCore(seed = 1): Promise<SimCore> {
    const log = this.#log;
    const { onExchange } = this.#options;
    this.#lives += 1;
    return SimCore.create({
      ...this.#options,
      seed,
      // each life greets as another: a host must see that the motor controller has started anew
      nonceSeed: seed ^ (this.#lives << 20),
      rate: this.#rate,
      toHost: (bytes) => this.#toPort(bytes),
      ...((log || onExchange) && {
        onExchange: (exchange) => {
          log?.write(exchange);
          onExchange?.(exchange);
        },
      }),
    });
  }

  /** Resolves when it has stopped, by `stop` or by a request. */
  async stopped(): Promise<void> {
    await this.#stopped;
  }

  /** Ends it and leaves nothing behind. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#wake?.();
    this.#tap.giveUp();
    await this.#stopped;
  }

  async #run(): Promise<void> {
    this.#epoch = performance.now();
    while (this.#running) {
      this.#takeNextLife();
      const core = this.#now;
      if (this.#options.pace === 'stepped') {
        await this.#stepped(core);
        continue;
      }
      // a host that has not begun to answer is not waited for
      const answering = core.mcu.host !== 0 && core.mcu.host === this.#tap.session;
      await (this.#options.pace === 'lockstep' && answering ? this.#lockstep(core) : this.#realTime(core));
    }
    await this.#socket?.stop();
    await this.#pty?.close();
    this.#log?.close();
    this.#now.delete();
    this.#next?.core.delete();
    this.#next?.resolve();
  }

  /** World and motor controller as they are now. */
  get #now(): SimCore {
    if (!this.#core) throw new Error('the simulator has not been started');
    return this.#core;
  }

  #takeNextLife(): void {
    const next = this.#next;
    if (!next) return;
    this.#next = undefined;
    this.#now.delete();
    this.#core = next.core;
    this.#epoch = performance.now();
    next.core.mcu.boot();
    next.resolve();
  }

  /** Up to the next frame, at its time. A late one is sent at once; time that is lost by more than a frame is not caught up. */
  async #realTime(core: SimCore): Promise<void> {
    const due = this.#epoch + core.nextFrame / 1000;
    const late = performance.now() - due;
    if (late < 0) {
      await this.#sleep(-late);
      return;
    }
    if (late > this.#periodMicros / 1000) {
      this.#epoch += late;
      this.#slips += 1;
    } else {
      // a late frame must not starve the port of its turn
      await nextTurn();
    }
    await this.#waitOutStall(core);
    core.advanceTo(core.nextFrame);
  }

  /** See `patience` of the options. */
  async #waitOutStall(core: SimCore): Promise<void> {
    const { patience = 0 } = this.#options;
    const answering = core.mcu.host !== 0 && core.mcu.host === this.#tap.session;
    if (patience === 0 || !answering) return;
    if (this.#tap.unansweredInARow < STALL_FRAMES || !this.#tap.owed) return;
    const began = performance.now();
    await this.#tap.answer(patience);
    this.#epoch += performance.now() - began;
    this.#slips += 1;
  }

  /** Up to the next frame at once, then no further until it is answered. */
  async #lockstep(core: SimCore): Promise<void> {
    this.#toFrame(core, core.nextFrame);
    if (this.#tap.owed) await this.#tap.answer(lockstepPatience);
    else await this.#sleep(this.#periodMicros / 1000);
    // should the pace become real again, it goes on from here
    this.#epoch = performance.now() - core.elapsed / 1000;
  }

  /** MCU time passes only when it is told to, frame by frame, each with its answer. */
  async #stepped(core: SimCore): Promise<void> {
    const step = this.#step;
    if (!step) {
      await this.#sleep(1000);
      return;
    }
    // a motor controller that has just started is greeted before it goes on
    const greets = this.#tap.greeted;
    if (!greets) this.#toFrame(core, Math.min(core.nextFrame, step.until));
    const waits = step.patience > 0 && (greets || core.mcu.host !== 0) && this.#tap.owed && !this.#tap.deaf;
    if (waits) await this.#tap.answer(step.patience);
    else if (greets) this.#tap.giveUpGreeting();
    else await nextTurn();
    if (core.elapsed + 1000 <= step.until) return;
    this.#step = undefined;
    step.resolve();
  }

  /** Up to there; over a slow line a frame may still be leaving then, and its own time is given to it. */
  #toFrame(core: SimCore, until: number): void {
    core.advanceTo(until);
    const next = core.nextFrame;
    while (core.sending && core.elapsed + 1000 < next) core.advanceTo(core.elapsed + 1000);
  }

  /** Bytes from the host take effect at the MCU time of their arrival, but never beyond the next frame, which has its own turn. */
  #heard(bytes: Uint8Array): void {
    const core = this.#now;
    const now = performance.now();
    this.#heardAt = now;
    this.#tap.heard(bytes, now);
    const { pace = 'real' } = this.#options;
    if (pace === 'real') core.advanceTo(Math.min((now - this.#epoch) * 1000, core.nextFrame - 1000));
    core.receive(bytes);
  }

  #toPort(bytes: Uint8Array): void {
    const now = performance.now();
    // where time stands still between two requests, the host's silence says nothing
    const patience = this.#options.pace === 'stepped' ? Number.POSITIVE_INFINITY : listeningMilliseconds;
    const listening = now - this.#heardAt < patience;
    if (!listening || !this.#pty?.write(bytes)) {
      this.#unheard += 1;
      return;
    }
    this.#tap.wrote(bytes, now);
  }

  async #plug(): Promise<void> {
    const { link } = this.#options;
    const pty = await openPty(link === undefined ? {} : { link });
    pty.onData((bytes) => this.#heard(bytes));
    this.#pty = pty;
  }

  async #unplug(): Promise<void> {
    const pty = this.#pty;
    // what is still in its pipe comes from a host that is unplugged
    pty?.onData(() => undefined);
    this.#pty = undefined;
    this.#heardAt = Number.NEGATIVE_INFINITY;
    this.#now.unplug();
    this.#tap.giveUp();
    await pty?.close();
  }

  async #handle(request: SimRequest): Promise<SimReply> {
    const core = this.#now;
    switch (request.verb) {
      case 'truth':
        return {
          ok: true,
          ...core.truth(),
          slips: this.#slips,
          counters: { decoder: core.mcu.counters, unheard: this.#unheard },
          commandsRejected: core.mcu.rejected,
          latencyUs: this.#tap.latencyUs(),
          port: this.port ?? null,
        };
      case 'wait':
        await core.wait(request.seconds);
        return { ok: true };
      case 'lift':
        core.needBody().lift();
        return { ok: true };
      case 'mark':
        core.meter.mark(request.name);
        return { ok: true };
      case 'measure': {
        const measurement = core.meter.measure(request.name);
        return measurement ? { ok: true, ...measurement } : { ok: false, error: `no mark "${request.name}"` };
      }
      case 'garbage':
        core.disturb(Uint8Array.from({ length: request.bytes }, () => this.#random.uint32() & 0xff));
        return { ok: true };
      case 'unplug':
        await this.#unplug();
        return { ok: true };
      case 'replug':
        if (!this.#pty) await this.#plug();
        return { ok: true, port: this.port ?? null };
      case 'quit':
        // after the reply
        setImmediate(() => void this.stop());
        return { ok: true };
      case 'mend':
        core.mend();
        return { ok: true };
      case 'restart':
        await this.#restart(request.seed ?? this.#options.seed);
        return { ok: true };
      case 'advance':
        return await this.#advance(request.seconds, request.patience ?? steppedPatience);
      default:
        core.inject(request);
        return { ok: true };
    }
  }

  async #restart(seed: number | undefined): Promise<void> {
    const core = await this.#newCore(seed);
    await new Promise<void>((resolve) => {
      this.#next?.core.delete();
      this.#next?.resolve();
      this.#next = { core, resolve };
      this.#wake?.();
    });
  }

  async #advance(seconds: number, patience: number): Promise<SimReply> {
    if (this.#options.pace !== 'stepped')
      return { ok: false, error: 'MCU time passes by itself: start it with --pace stepped' };
    if (this.#step) return { ok: false, error: 'MCU time passes already: advance when the last advance was answered' };
    await new Promise<void>((resolve) => {
      this.#step = { until: this.#now.elapsed + seconds * 1e6, patience, resolve };
      this.#wake?.();
    });
    return { ok: true };
  }

  /** Sleeps, or until `stop`. */
  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Runs a simulated robot until SIGTERM, SIGINT or the request `quit`.
 * Prints `{"port": …, "socket": …}` as one line on stdout when it is ready.
 * @throws EdgeError as `RobotSim`
 */
export async function runRobotSim(options: RobotSimOptions): Promise<void> {
  const sim = new RobotSim(options);
  await sim.start();
  const stop = () => void sim.stop();
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.stdout.write(`${JSON.stringify({ port: sim.port, socket: sim.socketPath })}\n`);
  await sim.stopped();
  process.off('SIGTERM', stop);
  process.off('SIGINT', stop);
}
