/**
 * What a wheel's drive can do wrong.
 *
 * - `dead`: gives no torque
 * - `stuck`: the wheel is seized, whatever the torque
 * - `frozen`: goes on giving the torque that it gave at the fault's begin
 * - `reversed`: gives the opposite of what is commanded, as after a wrong repair
 */
export const DRIVE_FAULTS = ['dead', 'stuck', 'frozen', 'reversed'] as const;
export type DriveFaultKind = (typeof DRIVE_FAULTS)[number];

/** left 0, right 1 */
export type Side = 0 | 1;

export interface DriveFault {
  readonly kind: DriveFaultKind;
  /** [N·m] commanded when it began */
  readonly frozenAt: number;
}

/** [N·m] on the way to the wheel in place of what was commanded. A seized wheel is the plant's. */
export function driven(commanded: number, fault: DriveFault | undefined): number {
  switch (fault?.kind) {
    case 'dead':
      return 0;
    case 'frozen':
      return fault.frozenAt;
    case 'reversed':
      return -commanded;
    case 'stuck':
    case undefined:
      return commanded;
  }
}
