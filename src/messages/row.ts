import type { TaskName } from '../robot/tasks/task.ts';
import { taskNames } from '../robot/tasks/tasks.ts';
import { ROBOT_STATES, type RobotState } from './states.ts';

/**
 * One transition (s, a, r, s') with all that is needed to judge it later, in the fixed binary layout in which it leaves
 * `control`. The layout is packed in this order, little-endian; the fields are ordered by size so that each is aligned
 * to its own size, which makes the bytes a valid CDR body as they are.
 */
export const ROW_LAYOUT = [
  ['monotonicNs', 'u64'],
  ['wallNs', 'u64'],
  ['mcuTimeUs', 'u64'],
  ['sequence', 'u64'],
  ['boot', 'u64'],
  ['policyHash', 'u64'],
  ['conditions', 'u64'],
  ['dtUs', 'u32'],
  ['episode', 'u32'],
  ['step', 'u32'],
  ['limits', 'u32'],
  ['state', 'f32', 4],
  ['nextState', 'f32', 4],
  ['observation', 'f32', 16],
  ['requestedTorque', 'f32'],
  ['commandedTorque', 'f32'],
  ['appliedTorque', 'f32'],
  ['measuredTorque', 'f32'],
  ['reward', 'f32'],
  ['latencyUs', 'f32'],
  ['layout', 'u8'],
  ['task', 'u8'],
  ['robotState', 'u8'],
  ['controller', 'u8'],
  ['done', 'u8'],
  ['timeout', 'u8'],
  ['observationLength', 'u8'],
  ['measured', 'u8'],
] as const satisfies ReadonlyArray<readonly [string, FieldType, number?]>;

/** Types of fields; names and sizes are those of the wire protocol. */
export type FieldType = 'u8' | 'u32' | 'u64' | 'f32';

/** 2: `conditions` has 64 bits. */
export const ROW_LAYOUT_VERSION = 2;

/** Longest observation that a row holds; longer ones are refused when the policy is loaded. */
export const MAX_OBSERVATION = 16;

/** Which kind of controller asked for the torque. */
export const CONTROLLER_KINDS = ['none', 'balancer', 'policy'] as const;
export type ControllerKind = (typeof CONTROLLER_KINDS)[number];

export interface Row {
  /** host clock at the arrival of the frame that carried `state` [ns, CLOCK_MONOTONIC] */
  monotonicNs: bigint;
  /** host wall clock at the same instant [ns since 1970] */
  wallNs: bigint;
  /** MCU clock at the sampling of `state` [µs since the MCU's start, unwrapped] */
  mcuTimeUs: bigint;
  /** number of the sensor frame, unwrapped; with `boot` it identifies the row */
  sequence: bigint;
  /** drawn at random when `control` starts */
  boot: bigint;
  /** first eight bytes of the policy's sha256, 0 if none is in charge */
  policyHash: bigint;
  /** measured time from `state` to `nextState` by the MCU's clock [µs] */
  dtUs: number;
  episode: number;
  /** counts from 0 within the episode */
  step: number;
  /** what acted on the request, bits of `LIMITS` */
  limits: number;
  /** failsafe conditions that were active, bits of the failsafe table */
  conditions: bigint;
  /** x [m], v [m/s], pitch [rad], pitch rate [rad/s] */
  state: readonly number[];
  nextState: readonly number[];
  /** what the policy saw at its latest decision, at most `MAX_OBSERVATION` numbers; empty if none is in charge */
  observation: readonly number[];
  /** total of both wheels [N·m]: what the controller asked for */
  requestedTorque: number;
  /** what the guard let through */
  commandedTorque: number;
  /** what the MCU reports as applied between the two samples */
  appliedTorque: number;
  /** what the motors measured; meaningful if `measured` */
  measuredTorque: number;
  reward: number;
  /** arrival of the frame to the write of its answer [µs] */
  latencyUs: number;
  task: TaskName;
  robotState: RobotState;
  controller: ControllerKind;
  /** `nextState` is a fall */
  done: boolean;
  /** the episode ends here for another reason than a fall */
  timeout: boolean;
  measured: boolean;
}

const SIZE = { u8: 1, u32: 4, u64: 8, f32: 4 } as const;
const OFFSET = new Map<string, number>();
let end = 0;
for (const [name, type, count] of ROW_LAYOUT as ReadonlyArray<readonly [string, FieldType, number?]>) {
  OFFSET.set(name, end);
  end += SIZE[type] * (count ?? 1);
}

/** Bytes of one encoded row. */
export const ROW_BYTES = end;

const at = (name: (typeof ROW_LAYOUT)[number][0]): number => OFFSET.get(name) ?? 0;

const U64 = ['monotonicNs', 'wallNs', 'mcuTimeUs', 'sequence', 'boot', 'policyHash', 'conditions'] as const;
const U32 = ['dtUs', 'episode', 'step', 'limits'] as const;
const F32 = ['requestedTorque', 'commandedTorque', 'appliedTorque', 'measuredTorque', 'reward', 'latencyUs'] as const;
const F32_ARRAYS = ['state', 'nextState', 'observation'] as const;

/** Encodes a row; the result is `ROW_BYTES` long. */
export function encodeRow(row: Row): Uint8Array {
  const bytes = new Uint8Array(ROW_BYTES);
  const view = new DataView(bytes.buffer);
  for (const name of U64) view.setBigUint64(at(name), row[name], true);
  for (const name of U32) view.setUint32(at(name), row[name], true);
  for (const name of F32) view.setFloat32(at(name), row[name], true);
  for (const name of F32_ARRAYS) {
    row[name].forEach((value, index) => {
      view.setFloat32(at(name) + 4 * index, value, true);
    });
  }
  view.setUint8(at('layout'), ROW_LAYOUT_VERSION);
  view.setUint8(at('task'), taskNames.indexOf(row.task));
  view.setUint8(at('robotState'), ROBOT_STATES.indexOf(row.robotState));
  view.setUint8(at('controller'), CONTROLLER_KINDS.indexOf(row.controller));
  view.setUint8(at('done'), Number(row.done));
  view.setUint8(at('timeout'), Number(row.timeout));
  view.setUint8(at('observationLength'), row.observation.length);
  view.setUint8(at('measured'), Number(row.measured));
  return bytes;
}

/** Decodes a row, or `undefined` when the bytes are not one of this layout. */
export function decodeRow(bytes: Uint8Array): Row | undefined {
  if (bytes.length !== ROW_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u64 = (name: (typeof U64)[number]) => view.getBigUint64(at(name), true);
  const u32 = (name: (typeof U32)[number]) => view.getUint32(at(name), true);
  const f32 = (name: (typeof F32)[number]) => view.getFloat32(at(name), true);
  const u8 = (name: (typeof ROW_LAYOUT)[number][0]) => view.getUint8(at(name));
  const floats = (name: (typeof F32_ARRAYS)[number], count: number) =>
    Array.from({ length: count }, (_, index) => view.getFloat32(at(name) + 4 * index, true));

  const task = taskNames[u8('task')];
  const robotState = ROBOT_STATES[u8('robotState')];
  const controller = CONTROLLER_KINDS[u8('controller')];
  const observationLength = u8('observationLength');
  if (u8('layout') !== ROW_LAYOUT_VERSION || observationLength > MAX_OBSERVATION) return undefined;
  if (task === undefined || robotState === undefined || controller === undefined) return undefined;
  return {
    monotonicNs: u64('monotonicNs'),
    wallNs: u64('wallNs'),
    mcuTimeUs: u64('mcuTimeUs'),
    sequence: u64('sequence'),
    boot: u64('boot'),
    policyHash: u64('policyHash'),
    dtUs: u32('dtUs'),
    episode: u32('episode'),
    step: u32('step'),
    limits: u32('limits'),
    conditions: u64('conditions'),
    state: floats('state', 4),
    nextState: floats('nextState', 4),
    observation: floats('observation', observationLength),
    requestedTorque: f32('requestedTorque'),
    commandedTorque: f32('commandedTorque'),
    appliedTorque: f32('appliedTorque'),
    measuredTorque: f32('measuredTorque'),
    reward: f32('reward'),
    latencyUs: f32('latencyUs'),
    task,
    robotState,
    controller,
    done: u8('done') === 1,
    timeout: u8('timeout') === 1,
    measured: u8('measured') === 1,
  };
}
