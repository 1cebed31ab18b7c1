import { type Observable, tap } from 'rxjs';
import type { Row } from '../messages/row.ts';
import { type Actuator, actuate } from './actuate.ts';
import type { Controllers } from './controllers/controllers.ts';
import { decode, type FrameSource } from './decode.ts';
import { type Estimator, estimate } from './estimate.ts';
import { guard } from './guard.ts';
import { infer } from './infer.ts';
import { type EpisodeClock, observe } from './observe.ts';
import type { RobotControl } from './robot-control.ts';
import type { Actuated, Chunk } from './tick.ts';
import { type RowContext, transition } from './transition.ts';

export interface Stages {
  readonly source: Pick<FrameSource, 'sense'>;
  readonly estimator: Estimator;
  readonly episodes: EpisodeClock;
  readonly controllers: Controllers;
  readonly control: RobotControl;
  readonly actuator: Actuator;
  /** counts what has gone out */
  readonly actuated: (tick: Actuated) => void;
  readonly rows: RowContext;
}

/**
 * The control loop. Every sensor frame that comes in at the top goes out as one command at `actuate` and leaves the
 * bottom, with the frame after it, as one transition.
 */
export const pipeline = (chunks$: Observable<Chunk>, stages: Stages): Observable<Row> =>
  chunks$.pipe(
    decode(stages.source),
    estimate(stages.estimator),
    observe(stages.episodes),
    infer(stages.controllers, stages.control),
    guard(stages.control),
    actuate(stages.actuator),
    tap(stages.actuated),
    transition(stages.rows),
  );
