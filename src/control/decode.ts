import { concatMap, from, map, type Observable, type OperatorFunction } from 'rxjs';
import { FrameDecoder } from '../protocol/frame.ts';
import { Unwrapper } from '../protocol/unwrap.ts';
import type { McuSession } from './mcu/mcu-session.ts';
import type { Chunk, Sensed } from './tick.ts';

const SEQUENCE_TURN = 2 ** 16;

/** Decoder state that outlives one chunk, and is begun anew when the port is opened or the MCU restarts. */
export class FrameSource {
  readonly decoder = new FrameDecoder({ from: 'mcu' });
  /** sensor frames that came while the MCU did not obey this host */
  beforeSession = 0;
  readonly #session: McuSession;
  #sequence = new Unwrapper(16);
  #time = new Unwrapper(32);
  #first = true;
  #restarts = 0;
  #resynchronisations = 0;
  /** frames were passed over since the last one that counted */
  #interrupted = false;
  #turns = 0;
  /** unwrapped sequence of the newest frame */
  #newest = -1;

  constructor(session: McuSession) {
    this.#session = session;
  }

  reset(): void {
    this.decoder.reset();
    this.#restart();
  }

  #restart(): void {
    this.#restarts = this.#session.restarts;
    this.#interrupted = false;
    this.#resynchronisations = this.decoder.counters.resynchronised;
    // Rows are known by their sequence: it goes on rising, in whole turns so that its low bits stay those on the wire.
    this.#turns = Math.ceil((this.#newest + 1) / SEQUENCE_TURN) * SEQUENCE_TURN;
    this.#sequence = new Unwrapper(16);
    this.#time = new Unwrapper(32);
    this.#first = true;
  }

  /** The `sensors` frames of a chunk, oldest first. All other frames go to the session. */
  sense({ bytes, arrivedNs }: Chunk): Sensed[] {
    const sensed: Sensed[] = [];
    for (const frame of this.decoder.push(bytes)) {
      if (frame.message.kind !== 'sensors') {
        this.#session.receive(frame);
        if (this.#session.restarts !== this.#restarts) this.#restart();
        continue;
      }
      // PROTOCOL.md §4.1: until the MCU obeys this host, `sensors` are not taken for true.
      if (this.#session.state !== 'accepted') {
        this.beforeSession += 1;
        this.#interrupted = true;
        continue;
      }
      const resynchronised = this.decoder.counters.resynchronised !== this.#resynchronisations;
      if (resynchronised || this.#interrupted) this.#restart();
      this.#newest = this.#turns + this.#sequence.next(frame.sequence);
      sensed.push({
        sensors: frame.message,
        wireSequence: frame.sequence,
        sequence: this.#newest,
        mcuTimeUs: this.#time.next(frame.time),
        arrivedNs,
        lost: this.#first ? 0 : frame.lost,
        superseded: true,
        first: this.#first,
      });
      this.#first = false;
    }
    const newest = sensed.pop();
    if (newest) sensed.push({ ...newest, superseded: false });
    return sensed;
  }
}

/** bytes → readings */
export const decode =
  (source: Pick<FrameSource, 'sense'>): OperatorFunction<Chunk, Sensed> =>
  (chunks$: Observable<Chunk>) =>
    chunks$.pipe(
      map((chunk) => source.sense(chunk)),
      concatMap((frames) => from(frames)),
    );
