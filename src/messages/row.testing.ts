import fc from 'fast-check';
import { taskNames } from '../robot/tasks/tasks.ts';
import { CONTROLLER_KINDS, MAX_OBSERVATION, ROW_JOINTS, type Row } from './row.ts';
import { ROBOT_STATES } from './states.ts';

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const double = fc.double();
const four = fc.array(double, { minLength: 4, maxLength: 4 });

/** A row with anything in it that the layout has room for. */
export const anyRow: fc.Arbitrary<Row> = fc
  .record({
    monotonicNs: u64,
    wallNs: u64,
    mcuTimeUs: u64,
    sequence: u64,
    boot: u64,
    policyHash: u64,
    dtUs: u32,
    episode: u32,
    step: u32,
    limits: u32,
    conditions: u64,
    state: four,
    nextState: four,
    observation: fc.array(double, { maxLength: MAX_OBSERVATION }),
    requestedTorque: double,
    commandedTorque: double,
    appliedTorque: double,
    measuredTorque: double,
    reward: double,
    latencyUs: double,
    task: fc.constantFrom(...taskNames),
    robotState: fc.constantFrom(...ROBOT_STATES),
    controller: fc.constantFrom(...CONTROLLER_KINDS),
    done: fc.boolean(),
    timeout: fc.boolean(),
    measured: fc.boolean(),
  })
  .chain((row) =>
    fc.oneof(
      fc.constant(row),
      fc.array(double, { minLength: ROW_JOINTS, maxLength: ROW_JOINTS }).map((joints) => ({ ...row, joints })),
    ),
  );
