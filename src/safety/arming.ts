import type { ArmedMode } from '../messages/mode.ts';
import type { Robot } from '../robot/robot.ts';
import { explorationChecks } from './exploration-limits.ts';
import type { Facts } from './facts.ts';
import { activeConditions, type ConditionId } from './failsafe-table.ts';
import type { SafetyState } from './supervisor.ts';

/** One thing that must be so before the robot may move. */
export interface ArmingCheck {
  readonly id: string;
  readonly ok: boolean;
  /** what was found, with the number */
  readonly found: string;
  readonly remedy: string;
}

/** What is known of the controller that is asked for. */
export type ControllerInfo =
  | { readonly kind: 'balancer' }
  | { readonly kind: 'policy'; readonly task: string; readonly rate: number }
  | { readonly kind: 'missing'; readonly reason: string };

/** Frames in a row that make a stream worth trusting: half a second at 200 Hz. */
export const SETTLED_FRAMES = 100;

/** Conditions that only warn a moving robot, but with which none may begin to move. */
const NO_ARMING: readonly ConditionId[] = ['battery-low', 'temperature-high', 'estop-not-persisted', 'sensor-silence'];

/** What an accelerometer reads at rest, anywhere on Earth and however badly calibrated [m/s²]. */
const LEAST_GRAVITY = 8;
const MOST_GRAVITY = 12;
/** How far the accelerometer's vertical may be from the estimated one at rest [rad]. */
const GRAVITY_ERROR = 0.2;

const degrees = (radians: number) => `${((radians * 180) / Math.PI).toFixed(1)}°`;

/** All checks, passed or not, so that a person sees at once everything that is in the way. */
export function armingChecks(
  mode: ArmedMode,
  state: SafetyState,
  facts: Facts,
  controller: ControllerInfo,
  robot: Robot,
): ArmingCheck[] {
  const { limits } = robot;
  const from = state.robotState;
  const moving = from === 'running';
  const blocking = activeConditions(state.active).filter((row) => row.action !== 'warn' && row.clears !== 'new-mode');
  const noArm = activeConditions(state.active).filter((row) => NO_ARMING.includes(row.id));
  const velocity = mode.targetVelocity ?? 0;

  const checks: ArmingCheck[] = [
    {
      id: 'state',
      ok: (from === 'disarmed' || from === 'running') && state.examined,
      found: `the robot is ${from}${state.examined ? '' : ', and no sensor frame has been seen since'}`,
      remedy: from === 'estopped' ? 'make the place safe, then `h2o-edge reset`' : '`h2o-edge mode disarmed` first',
    },
    ...[...blocking, ...noArm].map((row) => ({ id: row.id, ok: false, found: row.says, remedy: row.remedy })),
    {
      id: 'session',
      ok: facts.session === 'accepted',
      found: `the motor controller's session is "${facts.session}"`,
      remedy: 'check the port in the configuration and that the firmware answers `hello`',
    },
    {
      id: 'robot',
      ok: facts.announcedRobot === robot.name,
      found: `the motor controller drives "${facts.announcedRobot}", the configuration says "${robot.name}"`,
      remedy: 'correct `robot` in the configuration, or the name in the firmware',
    },
    {
      id: 'watchdog',
      ok:
        facts.announcedWatchdog > robot.timing.commandTimeToLive && facts.announcedWatchdog <= robot.timing.mcuWatchdog,
      found: `the motor controller's watchdog is ${facts.announcedWatchdog} ms, wanted are up to ${robot.timing.mcuWatchdog} ms`,
      remedy:
        'it is the last line of defence: set it in the firmware, above timing.commandTimeToLive of the robot file',
    },
    {
      id: 'heard',
      ok: facts.heard,
      found: facts.heard
        ? 'the motor controller hears the commands'
        : 'the motor controller does not hear the commands',
      remedy: "see the motor controller's count of refused commands",
    },
    {
      id: 'stop-inputs',
      ok: !facts.stopInputLost,
      found: facts.stopInputLost ? 'a stop input of the configuration cannot be read' : 'every stop input can be read',
      remedy: 'plug it in or mend it; see stopInputs in `h2o-edge status`',
    },
    {
      id: 'frames',
      ok: facts.framesInARow >= SETTLED_FRAMES,
      found: `${facts.framesInARow} sensor frames in a row, ${SETTLED_FRAMES} wanted`,
      remedy: 'wait; if it does not help, see the link counters in `h2o-edge status`',
    },
    {
      id: 'rate',
      ok: rateFits(facts, controller, robot),
      found: `sensor frames at ${facts.rate.toFixed(1)} Hz${controller.kind === 'policy' ? `, policy at ${controller.rate} Hz` : ''}`,
      remedy: 'the sensor rate must be a whole multiple of the rate that the policy was made for',
    },
    {
      id: 'controller',
      ok: controller.kind !== 'missing' && !(controller.kind === 'policy' && controller.task !== mode.task),
      found:
        controller.kind === 'missing'
          ? controller.reason
          : controller.kind === 'policy'
            ? `${mode.controller} is made for ${controller.task}`
            : 'built in',
      remedy: '`h2o-edge status` lists the controllers; `h2o-edge policy verify` says why one is refused',
    },
    {
      id: 'target-velocity',
      ok:
        Math.abs(velocity) <= limits.targetVelocity &&
        !(controller.kind === 'policy' && mode.targetVelocity !== undefined),
      found: `target velocity ${velocity} m/s, limit ${limits.targetVelocity} m/s`,
      remedy:
        controller.kind === 'policy'
          ? 'a policy follows its own task; leave the velocity away or use the balancer'
          : 'ask for less',
    },
    ...explorationChecks(mode, robot),
  ];
  if (moving) return checks;
  return [
    ...checks,
    {
      id: 'mcu-idle',
      ok: facts.mcuState === 'idle',
      found: `the motor controller is ${facts.mcuState}`,
      remedy: facts.mcuState === 'limp' || facts.mcuState === 'braking' ? '`h2o-edge reset`' : 'wait a moment',
    },
    {
      id: 'upright',
      ok: facts.tilt <= limits.armingTilt,
      found: `leaning by ${degrees(facts.tilt)}, limit ${degrees(limits.armingTilt)}`,
      remedy: 'hold the robot upright',
    },
    {
      // A dead accelerometer and a frozen attitude look upright and at rest.
      id: 'gravity',
      ok:
        facts.specificForce >= LEAST_GRAVITY &&
        facts.specificForce <= MOST_GRAVITY &&
        facts.gravityError <= GRAVITY_ERROR,
      found: `the accelerometer reads ${facts.specificForce.toFixed(1)} m/s², ${degrees(facts.gravityError)} off the estimated vertical`,
      remedy: 'hold the robot still; if it does not help, the IMU or its mounting is wrong',
    },
    {
      id: 'at-rest',
      ok: facts.angularRate <= limits.armingRate,
      found: `turning at ${facts.angularRate.toFixed(2)} rad/s, limit ${limits.armingRate} rad/s`,
      remedy: 'hold the robot still',
    },
  ];
}

/** What holds at the moment of the order, whatever the latest frame said. */
export interface Moment {
  /** since the latest sensor frame, by the host's clock [ms] */
  readonly frameAge: number;
  /** stop buttons that are held down, also those that were down when control began */
  readonly stopsHeld: readonly string[];
}

/** Nothing is armed on what was seen longer ago than so many times `timing.sensorSilence`: the host may stall for one. */
const FRESH_SILENCES = 10;

/** Checks of the moment, beside those of the facts; both for arming and for another mode of a running robot. */
export function momentChecks({ frameAge, stopsHeld }: Moment, { timing }: Robot): ArmingCheck[] {
  const fresh = FRESH_SILENCES * timing.sensorSilence;
  return [
    {
      id: 'frames-fresh',
      ok: frameAge <= fresh,
      found: `the latest sensor frame came ${frameAge.toFixed(0)} ms ago, ${fresh} ms are allowed`,
      remedy: 'see the link counters in `h2o-edge status`: noise, or a motor controller that sends no frames',
    },
    {
      id: 'stop-held',
      ok: stopsHeld.length === 0,
      found: stopsHeld.length === 0 ? 'no stop button is held down' : `held down: ${stopsHeld.join(', ')}`,
      remedy: 'release it; if it is up, press and release it once',
    },
  ];
}

/**
 * Sensor rates that a robot may have; an MCU may announce anything. Slower, and one lost frame would outlive the command
 * before it; faster does not fit the wire.
 */
export const isUsableRate = (rate: number, robot: Robot): boolean =>
  rate * robot.timing.commandTimeToLive >= 2000 && rate <= 1000;

/** Unknown rates do not fit. */
function rateFits(facts: Facts, controller: ControllerInfo, robot: Robot): boolean {
  if (!isUsableRate(facts.nominalRate, robot) || !(Math.abs(facts.rate / facts.nominalRate - 1) <= 0.05)) return false;
  return controller.kind !== 'policy' || decimation(facts.nominalRate, controller.rate) !== undefined;
}

/** Frames per decision of a policy, or `undefined` if its rate does not divide the sensor rate. */
export function decimation(sensorRate: number, policyRate: number): number | undefined {
  const ratio = sensorRate / policyRate;
  const frames = Math.round(ratio);
  return frames >= 1 && Math.abs(ratio - frames) < 1e-9 ? frames : undefined;
}
