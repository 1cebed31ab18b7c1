import { EdgeError } from '../errors.ts';

/**
 * What may be wrong with a transition as a sample of "this action, in this state, led there"; bit number = position. The
 * first ones are the limits of `LIMITS` under which a robot still runs. 0 is a clean row. New ones go to the end.
 */
export const MARKS = [
  /** the controller's answer was no number, and the balancer's was taken */
  'non-finite',
  /** the policy asked for more than its range */
  'policy-range',
  /** the guard's torque limit acted */
  'torque',
  /** the guard's slew limit acted */
  'slew',
  /** the balancer held the robot, whoever was meant to be in charge */
  'fallback',
  /** the policy's answer came too late, and the balancer's was taken */
  'policy-late',
  /** a change of controller was faded in */
  'blend',
  /** a frame was answered too late: what acted between the samples is partly an older command */
  'overrun',
  /** another condition of the failsafe table was active that does more than warn */
  'condition',
  /** the applied torque is beyond the action's range [-1, 1]: the action is clipped, the reward is not */
  'beyond-action',
  /** the action changed within a transition that spans several frames: it is the mean of what was applied */
  'not-held',
  /** state and next state are not consecutive samples: rows between them were dropped by the loader of a log */
  'not-adjacent',
  /** the guard's limits of the legs acted: their range, their speed, their torque, the axle's place under the body */
  'leg-position',
  'leg-speed',
  'leg-torque',
  'leg-balance',
  /** a policy moved the legs, which neither state nor action of the tasks tell of */
  'legs-moved',
] as const;
export type Mark = (typeof MARKS)[number];

/** Marks of a row on which a limit acted, for shares in statistics. */
export const CLAMPED: readonly Mark[] = ['policy-range', 'torque', 'slew', 'beyond-action'];

/** Bit of one mark in a mask. */
export const markBit = (mark: Mark): number => 1 << MARKS.indexOf(mark);

/** Names of the marks in a mask. */
export const markNames = (mask: number): Mark[] => MARKS.filter((_, bit) => (mask >>> bit) & 1);

/** All the bits that have a name. */
export const ALL_MARKS = 2 ** MARKS.length - 1;

/** A mask as text: the names with "+" between them, empty for a clean row. */
export const markText = (mask: number): string => markNames(mask).join('+');

/**
 * The mask in a text that `markText` made.
 * @throws EdgeError `datasetInvalid` for a name that is none
 */
export function parseMarks(text: string, where: string): number {
  if (text === '') return 0;
  return text.split('+').reduce((mask, name) => {
    const mark = MARKS.find((known) => known === name);
    if (mark !== undefined) return mask | markBit(mark);
    throw new EdgeError('datasetInvalid', `${where}: there is no mark "${name}"`, `marks are ${MARKS.join(', ')}`);
  }, 0);
}
