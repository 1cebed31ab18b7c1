import type { Refusal } from '../../messages/requests.ts';
import type { McuState } from '../../protocol/messages.gen.ts';
import type { ArmingCheck } from '../../safety/arming.ts';
import { CONFIRMATION_WINDOW } from '../stopping/reset-confirmation.ts';

/** What an order is told that the robot does not follow: a code for programs, and words for the person. */

/** @param failed every check that stands in the way, so that a person sees all of them at once */
export const notArmed = (failed: readonly ArmingCheck[]): Refusal => ({
  code: `not-armed: ${failed.map(({ id }) => id).join(', ')}`,
  message: failed.map(({ id, found }) => `${id}: ${found}`).join('; '),
  remedy: failed.map(({ remedy }) => remedy).join('; '),
});

export const NOBODY_WATCHES: Refusal = {
  code: 'no-heartbeat-session',
  message: 'a moving robot wants an operator whose heartbeats it can tell',
  remedy: 'name a session in the mode command and send heartbeats with it; `h2o-edge mode` does both',
};

/** A signed reset of a stop that nobody on the robot has confirmed. */
export const notConfirmed = (source: string): Refusal => ({
  code: 'confirmation-wanted',
  message: `nobody on the robot has confirmed that the stop by ${source || 'somebody'} may be undone`,
  remedy: `look at the robot, confirm on it with \`h2o-edge reset --confirm\`, and reset within ${CONFIRMATION_WINDOW / 1000} s; on the robot itself \`h2o-edge reset\` does both`,
});

export const stillPressed = (paths: readonly string[]): Refusal => ({
  code: 'stop-still-pressed',
  message: `a button that stops the robot is still pressed: ${paths.join(', ')}`,
  remedy: 'release it, then reset again; if it is up, press and release it once',
});

export const MCU_UNREACHABLE: Refusal = {
  code: 'mcu-unreachable',
  message: 'the motor controller does not answer, so its latch cannot be cleared',
  remedy: 'check cable and power, then reset again',
};

export const mcuLatched = (state: McuState): Refusal => ({
  code: 'mcu-latched',
  message: `the motor controller stays ${state}`,
  remedy: 'its fault persists: see the fault names in `h2o-edge status`',
});

export const latchNotRemoved = (problem: string): Refusal => ({
  code: 'latch-not-removed',
  message: `the latch could not be removed from disk: ${problem}`,
  remedy: 'mend the state directory, then reset again',
});

export const UNDER_WAY: Refusal = {
  code: 'reset-under-way',
  message: 'another reset is under way',
  remedy: 'wait for its answer; if none comes, see the disk of the state directory',
};

export const OVERTAKEN: Refusal = {
  code: 'stopped-again',
  message: 'another stop came while the reset was under way',
  remedy: 'make the place safe, then reset again',
};

export const OTHER_ORDERS: Refusal = {
  code: 'other-orders',
  message: 'somebody has stopped the robot, or given it a mode, since this was asked for',
  remedy: 'look why, and ask anew',
};

export const NO_UPDATES: Refusal = {
  code: 'no-policy-updates',
  message: 'this control takes no versions of policies',
  remedy: 'put the bundle into the policies folder and restart control',
};
