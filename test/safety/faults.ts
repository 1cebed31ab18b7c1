import { bodyFaults } from './body-faults.ts';
import type { Fault } from './fault.ts';
import { hostFaults } from './host-faults.ts';
import { lineFaults } from './line-faults.ts';
import { sensorFaults } from './sensor-faults.ts';

/** By what they are done to. */
export const FAULT_GROUPS: Readonly<Record<string, readonly Fault[]>> = {
  Sensors: sensorFaults,
  Line: lineFaults,
  'Body and supply': bodyFaults,
  'Host and what it leans on': hostFaults,
};

/** Every fault that robot and host are put to. */
export const FAULTS: readonly Fault[] = Object.values(FAULT_GROUPS).flat();
