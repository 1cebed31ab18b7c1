import { jointNames } from '../robot/joints.ts';
import type { TaskName } from '../robot/tasks/task.ts';
import { taskNames } from '../robot/tasks/tasks.ts';
import { ROBOT_STATES, type RobotState } from './states.ts';

/**
 * One transition (s, a, r, s') with all that is needed to judge it later, in the fixed binary layout in which it leaves
 * `control`. The layout is packed in this order, little-endian; the fields are ordered by size so that each is aligned
 * to its own size, which makes the bytes a valid CDR body as they are.
 *
 * Behind it stand `ROW_LISTS`: a count (u32) and so many numbers each.
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

/** What most rows have nothing of, each a sequence of numbers. */
export const ROW_LISTS = [
  ['observationRest', 'f32'],
  ['joints', 'f32'],
] as const satisfies ReadonlyArray<readonly [string, FieldType]>;

/** Types of fields; names and sizes are those of the wire protocol. */
export type FieldType = 'u8' | 'u32' | 'u64' | 'f32';

/** 2: `conditions` has 64 bits. 3: `ROW_LISTS`; rows of layout 2, which end before them, are still read. */
export const ROW_LAYOUT_VERSION = 3;
const WITHOUT_LISTS = 2;

/** Numbers of the field `observation`; those of a longer one stand in `observationRest`. */
export const OBSERVATION_FIELD = 16;
/** Longest observation that a row holds; longer ones are refused when the policy is loaded. */
export const MAX_OBSERVATION = 255;
/** Length of `joints` where there is any. */
export const ROW_JOINTS = 3 * jointNames.length;

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
  /**
   * Only where a policy of joints is in charge: for each of `jointNames` what it asked for, what was commanded and what
   * is measured at `nextState`, one list after the other; leg positions [rad], wheel torques [N·m], of these the applied ones as measured.
   */
  joints?: readonly number[];
}

const SIZE = { u8: 1, u32: 4, u64: 8, f32: 4 } as const;
const OFFSET = new Map<string, number>();
let end = 0;
for (const [name, type, count] of ROW_LAYOUT as ReadonlyArray<readonly [string, FieldType, number?]>) {
  OFFSET.set(name, end);
  end += SIZE[type] * (count ?? 1);
}

/** Bytes of the fields that every row has. */
const FIXED_BYTES = end;
/** Bytes of one encoded row whose lists are empty. */
export const ROW_BYTES = end + 4 * ROW_LISTS.length;
const LAYOUT = OFFSET.get('layout') ?? 0;
const MOST_BYTES = ROW_BYTES + 4 * (MAX_OBSERVATION - OBSERVATION_FIELD + ROW_JOINTS);

/** Whether bytes could be a row, by their length and the layout that they name; looks at no more than that. */
export function looksLikeRow(bytes: Uint8Array): boolean {
  const { length } = bytes;
  if (length === FIXED_BYTES) return bytes[LAYOUT] === WITHOUT_LISTS;
  return length >= ROW_BYTES && length <= MOST_BYTES && length % 4 === 0 && bytes[LAYOUT] === ROW_LAYOUT_VERSION;
}

const at = (name: (typeof ROW_LAYOUT)[number][0]): number => OFFSET.get(name) ?? 0;

const U64 = ['monotonicNs', 'wallNs', 'mcuTimeUs', 'sequence', 'boot', 'policyHash', 'conditions'] as const;
const U32 = ['dtUs', 'episode', 'step', 'limits'] as const;
const F32 = ['requestedTorque', 'commandedTorque', 'appliedTorque', 'measuredTorque', 'reward', 'latencyUs'] as const;

/** Encodes a row; the result is `ROW_BYTES` long and as much longer as its lists. */
export function encodeRow(row: Row): Uint8Array {
  const rest = Math.max(0, row.observation.length - OBSERVATION_FIELD);
  const joints = row.joints ?? [];
  const bytes = new Uint8Array(ROW_BYTES + 4 * (rest + joints.length));
  const view = new DataView(bytes.buffer);
  for (const name of U64) view.setBigUint64(at(name), row[name], true);
  for (const name of U32) view.setUint32(at(name), row[name], true);
  for (const name of F32) view.setFloat32(at(name), row[name], true);
  const put = (offset: number, values: readonly number[]) => {
    for (const [index, value] of values.entries()) view.setFloat32(offset + 4 * index, value, true);
  };
  put(at('state'), row.state);
  put(at('nextState'), row.nextState);
  put(at('observation'), rest > 0 ? row.observation.slice(0, OBSERVATION_FIELD) : row.observation);
  view.setUint32(FIXED_BYTES, rest, true);
  if (rest > 0) put(FIXED_BYTES + 4, row.observation.slice(OBSERVATION_FIELD));
  view.setUint32(FIXED_BYTES + 4 + 4 * rest, joints.length, true);
  put(FIXED_BYTES + 8 + 4 * rest, joints);
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
  if (!looksLikeRow(bytes)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u64 = (name: (typeof U64)[number]) => view.getBigUint64(at(name), true);
  const u32 = (name: (typeof U32)[number]) => view.getUint32(at(name), true);
  const f32 = (name: (typeof F32)[number]) => view.getFloat32(at(name), true);
  const u8 = (name: (typeof ROW_LAYOUT)[number][0]) => view.getUint8(at(name));
  const floats = (offset: number, count: number) =>
    Array.from({ length: count }, (_, index) => view.getFloat32(offset + 4 * index, true));

  const task = taskNames[u8('task')];
  const robotState = ROBOT_STATES[u8('robotState')];
  const controller = CONTROLLER_KINDS[u8('controller')];
  const observationLength = u8('observationLength');
  const lists = listsOf(view);
  // One of layout 2 is no longer than its field.
  if (!lists || lists.rest !== Math.max(0, observationLength - OBSERVATION_FIELD)) return undefined;
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
    state: floats(at('state'), 4),
    nextState: floats(at('nextState'), 4),
    observation:
      lists.rest === 0
        ? floats(at('observation'), observationLength)
        : [...floats(at('observation'), OBSERVATION_FIELD), ...floats(FIXED_BYTES + 4, lists.rest)],
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
    ...(lists.joints > 0 && { joints: floats(FIXED_BYTES + 8 + 4 * lists.rest, lists.joints) }),
  };
}

/** How long the lists are, or `undefined` when that is not what the bytes have room for. */
function listsOf(view: DataView): { readonly rest: number; readonly joints: number } | undefined {
  const { byteLength } = view;
  if (byteLength === FIXED_BYTES) return { rest: 0, joints: 0 };
  const rest = view.getUint32(FIXED_BYTES, true);
  if (rest > (byteLength - ROW_BYTES) / 4) return undefined;
  const joints = view.getUint32(FIXED_BYTES + 4 + 4 * rest, true);
  if (byteLength !== ROW_BYTES + 4 * (rest + joints)) return undefined;
  return joints === 0 || joints === ROW_JOINTS ? { rest, joints } : undefined;
}
