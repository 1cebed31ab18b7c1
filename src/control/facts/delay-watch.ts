import type { Robot } from '../../robot/robot.ts';
import type { ArmingCheck } from '../../safety/arming.ts';
import { type DelayBudget, delayBudget } from '../../safety/delay-budget.ts';
import type { Controllers } from '../controllers/controllers.ts';
import type { LatencyWindow } from './latency-window.ts';

export interface DelayWatchOptions {
  readonly robot: Robot;
  readonly controllers: Controllers;
  readonly latency: LatencyWindow;
  /** [bit/s] */
  readonly baudRate: number;
  /** as the motor controller announced it [ms]; NaN before `hello` */
  readonly announcedWatchdog: () => number;
  /** a budget that does not fit refuses arming; otherwise it is only told */
  readonly enforce: boolean;
}

/** The delay budget with what this control measures of itself, as arming and the status want it. Not for a tick. */
export class DelayWatch {
  readonly #options: DelayWatchOptions;

  constructor(options: DelayWatchOptions) {
    this.#options = options;
  }

  get enforced(): boolean {
    return this.#options.enforce;
  }

  budget(): DelayBudget {
    const { robot, controllers, latency, baudRate, announcedWatchdog } = this.#options;
    return delayBudget({
      limits: controllers.delayLimits,
      robot,
      baudRate,
      measured: { samples: latency.samples, p999: latency.samples > 0 ? latency.p999() / 1000 : 0 },
      announcedWatchdog: announcedWatchdog(),
    });
  }

  /** What of it stands in the way of arming. */
  checks(): ArmingCheck[] {
    if (!this.#options.enforce) return [];
    return this.budget().findings.map(({ id, verdict, found, remedy }) => ({
      id,
      ok: verdict !== 'fail',
      found,
      remedy,
    }));
  }
}
