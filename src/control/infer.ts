import { concatMap, from, type OperatorFunction, of } from 'rxjs';
import type { Controllers } from './controllers/controllers.ts';
import type { RobotControl } from './robot-control.ts';
import type { Decided, Observed } from './tick.ts';

/** the task's vector → what the controller in charge wants */
export const infer = (controllers: Controllers, control: RobotControl): OperatorFunction<Observed, Decided> =>
  concatMap((tick) => {
    const decision = controllers.decide(tick, control.safety, control.sentTorque);
    return decision instanceof Promise
      ? from(decision.then((decided) => ({ ...tick, ...decided })))
      : of({ ...tick, ...decision });
  });
