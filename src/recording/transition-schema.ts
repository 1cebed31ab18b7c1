import {
  CONTROLLER_KINDS,
  type FieldType,
  looksLikeRow,
  ROW_LAYOUT,
  ROW_LAYOUT_VERSION,
  ROW_LISTS,
} from '../messages/row.ts';
import { LIMITS, ROBOT_STATES } from '../messages/states.ts';
import { taskNames } from '../robot/tasks/tasks.ts';
import { CONDITION_IDS } from '../safety/failsafe-table.ts';
import { bodyOfCdr, cdrOf } from './cdr.ts';

/**
 * Rows in a form that other people's tools read: a ROS 2 message in CDR. The row's layout is aligned so that its bytes
 * are a CDR body as they are; storing one is putting four bytes in front.
 */

const ROS_TYPE = { u8: 'uint8', u32: 'uint32', u64: 'uint64', f32: 'float32' } as const;

/** ROS 2 allows only snake_case for fields. */
export const rosFieldName = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Numbers that stand for names, as constants of the message. */
const constants = (prefix: string, names: readonly string[]): string[] =>
  names.map((name, index) => `uint8 ${prefix}_${name.toUpperCase().replaceAll('-', '_')}=${index}`);

const fields = (ROW_LAYOUT as ReadonlyArray<readonly [string, FieldType, number?]>).map(
  ([name, type, count]) => `${ROS_TYPE[type]}${count === undefined ? '' : `[${count}]`} ${rosFieldName(name)}`,
);

export const TRANSITION_SCHEMA_NAME = 'h2o_edge/msg/Transition';

/** The message definition (`ros2msg`), derived from `ROW_LAYOUT`. */
export const TRANSITION_SCHEMA = [
  "# One transition (s, a, r, s') of a balancing robot. SI units; state: x [m], v [m/s], pitch [rad], pitch rate [rad/s].",
  `uint8 LAYOUT=${ROW_LAYOUT_VERSION}`,
  ...constants('TASK', taskNames),
  ...constants('ROBOT_STATE', ROBOT_STATES),
  ...constants('CONTROLLER', CONTROLLER_KINDS),
  '# bit numbers in `limits` and `conditions`',
  ...constants('LIMIT', LIMITS),
  ...constants('CONDITION', CONDITION_IDS),
  ...fields,
  ...ROW_LISTS.map(([name, type]) => `${ROS_TYPE[type]}[] ${rosFieldName(name)}`),
  '',
].join('\n');

/** A row as a CDR message: a copy, so that the buffer that it came in can go. */
export const cdrOfRow = (row: Uint8Array): Uint8Array => cdrOf(row);

/** The row in a CDR message (a view of it), or `undefined` when it is not one by its size and layout. */
export function rowOfCdr(cdr: Uint8Array): Uint8Array | undefined {
  const row = bodyOfCdr(cdr);
  return row && looksLikeRow(row) ? row : undefined;
}
