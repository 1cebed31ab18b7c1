import { type FieldType, looksLikeRow, ROW_LAYOUT } from '../messages/row.ts';
import { ROBOT_STATES } from '../messages/states.ts';
import type { TaskName } from '../robot/tasks/task.ts';
import { taskNames } from '../robot/tasks/tasks.ts';

/** What identifies a row: the run of `control` that made it, and the sensor frame that it begins with. */
export interface RowKey {
  readonly boot: bigint;
  readonly sequence: bigint;
}

const SIZE = { u8: 1, u32: 4, u64: 8, f32: 4 } as const;

const OFFSETS = new Map<string, number>();
let end = 0;
for (const [name, type, count] of ROW_LAYOUT as ReadonlyArray<readonly [string, FieldType, number?]>) {
  OFFSETS.set(name, end);
  end += SIZE[type] * (count ?? 1);
}

const at = (name: (typeof ROW_LAYOUT)[number][0]): number => OFFSETS.get(name) ?? 0;
const BOOT = at('boot');
const SEQUENCE = at('sequence');
const WALL = at('wallNs');
const MONOTONIC = at('monotonicNs');
const TASK = at('task');
const STATE = at('robotState');
const DONE = at('done');
const TIMEOUT = at('timeout');
const ESTOPPED = ROBOT_STATES.indexOf('estopped');

/** What the recorder needs of a row. */
export interface RowGlance extends RowKey {
  readonly wallNs: bigint;
  /** at the same instant [ns, the host's CLOCK_MONOTONIC] */
  readonly monotonicNs: bigint;
  /** `undefined` when it has a number that this program does not know */
  readonly task: TaskName | undefined;
  /** the episode ends with it */
  readonly ends: boolean;
  /** the robot was stopped by an e-stop */
  readonly stopped: boolean;
}

/**
 * Reads what the recorder needs of a row and leaves the rest alone: a row passes through here 200 times a second only to
 * be stored.
 * @returns `undefined` when the bytes are not a row of the layout that this program knows
 */
export function peekRow(bytes: Uint8Array): RowGlance | undefined {
  if (!looksLikeRow(bytes)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    boot: view.getBigUint64(BOOT, true),
    sequence: view.getBigUint64(SEQUENCE, true),
    wallNs: view.getBigUint64(WALL, true),
    monotonicNs: view.getBigUint64(MONOTONIC, true),
    task: taskNames[bytes[TASK] ?? taskNames.length],
    ends: bytes[DONE] === 1 || bytes[TIMEOUT] === 1,
    stopped: bytes[STATE] === ESTOPPED,
  };
}
