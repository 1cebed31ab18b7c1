import { type Exploration, sameBehaviour } from '../../messages/exploration.ts';
import type { ArmedMode, Mode } from '../../messages/mode.ts';
import type { Status } from '../../messages/status.ts';
import { FALLS } from '../../safety/failsafe-table.ts';

/** Why a collection is over; only `done` is what was asked for. */
export type Ended =
  | 'done'
  | 'interrupted'
  | 'estop'
  | 'stopped'
  | 'mode-changed'
  | 'fault'
  | 'refused'
  | 'disk-full'
  | 'recorder-lost'
  | 'control-lost';

/** What is to be done after a look at the robot. */
export type Step =
  | { readonly do: 'wait' | 'lift' | 'disarm' }
  /** starts nothing if anybody else has given an order since this look */
  | { readonly do: 'arm'; readonly mode: ArmedMode; readonly orders: number }
  | { readonly do: 'end'; readonly ended: Ended; readonly why: string };

/** What a status is looked at for. */
export type Seen = Pick<Status, 'pid' | 'state' | 'mode' | 'reasons' | 'estop' | 'counters' | 'estimate'> & {
  readonly mcu: Pick<Status['mcu'], 'state'>;
};

/** What a falling robot trips as well. Anything else that brakes it has to be looked at by somebody. */
const WITH_A_FALL: readonly string[] = [
  ...FALLS,
  'turning-too-fast',
  'wheel-overspeed',
  'wheel-slip',
  'lift-off',
  'joint-limit',
  'torque-tracking',
  'attitude-implausible',
  'acceleration-implausible',
];
/** What passes when the robot is held well; whatever else refuses to arm ends the collection. */
const IN_PASSING: readonly string[] = [
  ...WITH_A_FALL,
  'state',
  'mcu-idle',
  'frames',
  'upright',
  'gravity',
  'at-rest',
  'rate',
  'heard',
];

/** Held like this it is upright and at rest; the arming checks have the last word. */
const UPRIGHT = 0.15; // rad
const AT_REST = 0.2; // rad/s
/** Looks in a row at a robot that is held upright before it is armed, and between two tries to arm it. */
const STEADY_LOOKS = 5;
/** So many looks at a motor controller that is not idle although the robot is disarmed: it is latched, and stays so. */
const LATCHED_LOOKS = 50;
/** Refusals in a row after which holding it better will not help. */
const MOST_REFUSALS = 20;

/** Reasons that stand against going on, the robot's posture apart. */
const faultsOf = ({ reasons }: Seen): string[] =>
  reasons
    .filter(({ id, action }) => action !== 'warn' && action !== 'fallback' && !WITH_A_FALL.includes(id))
    .map(({ id }) => id);

/**
 * Decides from look to look what a collection does next: lift, arm, disarm after a fall, or end. It arms only from what it
 * has disarmed itself; a stop, a disarming or a mode of anybody else ends it.
 */
export class EpisodeKeeper {
  episodes = 0;
  falls = 0;
  lifts = 0;
  readonly #task: Omit<ArmedMode, 'exploration'>;
  readonly #exploration: Exploration;
  readonly #patience: number;
  #phase: 'begins' | 'grounded' | 'lifted' | 'arming' | 'running' | 'fallen' = 'begins';
  #pid = 0;
  /** stops, disarmings and modes that are accounted for */
  #orders = 0;
  #steady = 0;
  #pause = 0;
  #refusals = 0;
  /** looks since the lift, and those in a row at a motor controller that is not idle */
  #waited = 0;
  #notIdle = 0;

  /**
   * @param exploration with the number of its first start
   * @param patience looks after a lift that has not come to an end; a person is waited for as long as it takes
   */
  constructor(task: Omit<ArmedMode, 'exploration'>, exploration: Exploration, patience = Number.POSITIVE_INFINITY) {
    this.#task = task;
    this.#exploration = exploration;
    this.#patience = patience;
  }

  get phase(): string {
    return this.#phase;
  }

  /** The robot does what this collection has asked for. */
  get isRunning(): boolean {
    return this.#phase === 'running';
  }

  /** The robot still does what this collection has asked for, and nobody has said anything else: it is to be let go. */
  holds(seen: Seen): boolean {
    const untouched = seen.pid === this.#pid && seen.counters.orders === this.#orders && !seen.estop.latched;
    return this.#phase === 'running' && seen.state === 'running' && untouched && this.#isOurs(seen.mode);
  }

  look(seen: Seen): Step {
    const orders = seen.counters.orders ?? 0;
    if (this.#phase === 'begins') {
      this.#pid = seen.pid;
      this.#orders = orders;
    }
    if (seen.pid !== this.#pid) return end('control-lost', 'control has been started anew');
    if (seen.estop.latched || seen.state === 'estopped') {
      return end('estop', `e-stopped by ${seen.estop.source || reasonsOf(seen) || 'the robot'}`);
    }
    if (orders !== this.#orders) {
      return seen.mode.task === 'disarmed'
        ? end('stopped', 'somebody has stopped or disarmed the robot')
        : end('mode-changed', 'somebody has given the robot another mode');
    }
    if (seen.reasons.some(({ id }) => id === 'disk-full')) return end('disk-full', 'the disk of the robot is full');
    switch (this.#phase) {
      case 'begins':
        if (seen.state === 'running') return this.#arm();
        this.#phase = seen.state === 'disarmed' ? 'grounded' : 'fallen';
        return this.look(seen);
      case 'running':
        return this.#watch(seen);
      case 'fallen':
        return this.#clear(seen);
      default:
        return this.#prepare(seen);
    }
  }

  /** The order to disarm has been obeyed. */
  disarmed(): void {
    this.#orders += 1;
    this.#phase = 'grounded';
  }

  lifted(): void {
    this.lifts += 1;
    this.#phase = 'lifted';
    this.#steady = 0;
    this.#waited = 0;
  }

  /** The order to arm has been obeyed. */
  armed(): void {
    this.episodes += 1;
    this.#orders += 1;
    this.#refusals = 0;
    this.#phase = 'running';
  }

  /** @param code of the refusal: for arming checks `not-armed: id, id` */
  refused(code: string): Step {
    if (code === 'other-orders') return end('stopped', 'somebody has stopped the robot, or given it a mode');
    const checks = code.startsWith('not-armed: ') ? code.slice('not-armed: '.length).split(', ') : [code];
    const lasting = checks.filter((id) => !IN_PASSING.includes(id));
    this.#refusals += 1;
    this.#phase = 'lifted';
    this.#steady = 0;
    this.#pause = STEADY_LOOKS;
    if (lasting.length > 0 || this.#refusals > MOST_REFUSALS)
      return end('refused', `it cannot be armed: ${checks.join(', ')}`);
    return { do: 'wait' };
  }

  #arm(): Step {
    this.#phase = 'arming';
    return {
      do: 'arm',
      mode: {
        ...this.#task,
        exploration: { ...this.#exploration, episode: this.#exploration.episode + this.episodes },
      },
      orders: this.#orders,
    };
  }

  #watch(seen: Seen): Step {
    if (seen.state === 'running') {
      return this.#isOurs(seen.mode)
        ? { do: 'wait' }
        : end('mode-changed', 'somebody has given the robot another mode');
    }
    if (seen.state === 'disarmed') return end('stopped', 'the robot has been disarmed');
    const faults = faultsOf(seen);
    if (faults.length > 0) return end('fault', `the robot stopped: ${faults.join(', ')}`);
    if (!this.#isOurs(seen.mode)) return end('mode-changed', 'somebody has given the robot another mode');
    this.falls += 1;
    this.#phase = 'fallen';
    return this.#clear(seen);
  }

  /** It brakes first, by itself. */
  #clear(seen: Seen): Step {
    const faults = faultsOf(seen);
    if (faults.length > 0) return end('fault', `the robot stopped: ${faults.join(', ')}`);
    if (seen.state === 'running' || seen.state === 'disarmed')
      return end('mode-changed', 'somebody has set the robot going');
    return { do: seen.state === 'limp' ? 'disarm' : 'wait' };
  }

  #prepare(seen: Seen): Step {
    if (seen.state !== 'disarmed') return end('mode-changed', 'somebody has set the robot going');
    const { estimate, mcu } = seen;
    this.#notIdle = mcu.state === 'idle' ? 0 : this.#notIdle + 1;
    if (this.#notIdle > LATCHED_LOOKS)
      return end('fault', `the motor controller stays ${mcu.state}; \`h2o-edge reset\``);
    if (this.#phase === 'grounded') return { do: 'lift' };
    this.#waited += 1;
    if (this.#waited > this.#patience) return end('fault', 'lifted, the robot does not come to rest upright');
    const held =
      mcu.state === 'idle' && estimate !== null && estimate.tilt <= UPRIGHT && Math.abs(estimate.pitchRate) <= AT_REST;
    this.#steady = held ? this.#steady + 1 : 0;
    this.#pause = Math.max(0, this.#pause - 1);
    return this.#steady >= STEADY_LOOKS && this.#pause === 0 ? this.#arm() : { do: 'wait' };
  }

  #isOurs(mode: Mode): boolean {
    if (mode.task === 'disarmed' || mode.exploration === undefined) return false;
    const { task, controller, targetVelocity } = this.#task;
    const same = mode.task === task && mode.controller === controller && mode.targetVelocity === targetVelocity;
    return same && sameBehaviour(mode.exploration, this.#exploration);
  }
}

const reasonsOf = ({ reasons }: Seen): string => reasons.map(({ id }) => id).join(', ');
const end = (ended: Ended, why: string): Step => ({ do: 'end', ended, why });
