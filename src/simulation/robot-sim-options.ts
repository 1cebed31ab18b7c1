import { EdgeError } from '../errors.ts';
import type { Robot } from '../robot/robot.ts';
import type { Exchange } from './exchange-log.ts';

/** How to run a simulated robot on a serial port. */
export interface RobotSimOptions {
  readonly robot: Robot;
  /** dynamics gaps, names that ship or paths; several compose */
  readonly gaps?: readonly string[];
  /** of sensor noise, action noise, nonces and garbage; default 1 */
  readonly seed?: number;
  /** [Hz] of sensor frames, 100 to 1000 and a divisor of 1000; default `policy.rate` of the robot */
  readonly rate?: number;
  /** [bit/s] of the line: bytes take ten bits each in MCU time; default: none, bytes pass at once */
  readonly baud?: number;
  /** a hand holds the robot upright until the MCU is active */
  readonly hand?: boolean;
  /** a log to play in place of the twin; hand, gaps and pushes have no meaning then */
  readonly playback?: string;
  /**
   * `real`: MCU time is the host's time; when behind by more than a frame it slips, and is counted. `lockstep`: after each frame MCU time stands
   * still until its answer came, 1 s at most, so that what happens does not depend on how fast the machine is. `stepped`: it
   * stands still until the request `advance`, and passes in step with the answers then, so that also what is asked in between
   * happens at the same instant in every run.
   */
  readonly pace?: 'real' | 'lockstep' | 'stepped';
  /**
   * At real pace: when four frames in a row went unanswered, MCU time stands still for so long at most [ms] until an answer
   * comes, and a slip is counted. A pty's bytes go through a kernel thread that no priority of ours reaches; on a busy
   * machine it stalls for longer than the MCU's watchdog, which no serial line does. Default 0: no patience, as the MCU has.
   */
  readonly patience?: number;
  /** sequence of the MCU's first frames; default 0 */
  readonly startSequence?: number;
  /** MCU clock at boot [µs]; default 0 */
  readonly startTimeMicros?: number;
  /** symbolic link to the port, which stays the same name over unplug and replug */
  readonly link?: string;
  /** path of the control socket; default: in the system's folder for temporary files */
  readonly socket?: string;
  /** file for everything that the MCU sends and receives, one JSON object a line */
  readonly log?: string;
  /** for a program that embeds it: everything that the MCU sends and receives */
  readonly onExchange?: (exchange: Exchange) => void;
  /** the MCU's name in `hello`; default the robot's */
  readonly name?: string;
  /** firmware revision in `hello` */
  readonly revision?: string;
}

/** @throws EdgeError `usage` for what cannot be simulated */
export function checkOptions(options: RobotSimOptions): { readonly rate: number } {
  const rate = options.rate ?? options.robot.policy.rate;
  if (!Number.isInteger(rate) || rate < 100 || rate > 1000 || 1000 % rate !== 0) {
    throw new EdgeError(
      'usage',
      `sensor rate ${rate} Hz`,
      'choose 100, 125, 200, 250, 500 or 1000: physics runs at 1 kHz',
    );
  }
  if (options.playback !== undefined && rate !== options.robot.policy.rate) {
    const message = `a log plays at ${options.robot.policy.rate} Hz, not at ${rate} Hz`;
    throw new EdgeError('usage', message, 'leave the rate out');
  }
  const { baud } = options;
  // 80 bytes of `sensors` on the wire, ten bits each (PROTOCOL.md §9)
  if (baud !== undefined && !(baud >= rate * 800)) {
    const message = `${baud} baud cannot carry ${rate} frames of 80 bytes a second`;
    throw new EdgeError('usage', message, `choose ${rate * 1000} baud or more, or a lower rate`);
  }
  return { rate };
}
