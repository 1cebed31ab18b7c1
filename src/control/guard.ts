import { map, type OperatorFunction } from 'rxjs';
import type { RobotControl } from './robot-control.ts';
import type { Decided, Guarded } from './tick.ts';

/** what the controller wants → what is safe */
export const guard = (control: RobotControl): OperatorFunction<Decided, Guarded> =>
  map((decided) => control.guard(decided));
