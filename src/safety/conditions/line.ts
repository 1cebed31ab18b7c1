import type { Condition } from '../condition.ts';
import type { Facts } from '../facts.ts';

/** Frames of one second, counted with a leak, that are no longer an accident of the line. */
const MOST_OUT_OF_ORDER = 2;
const MOST_DAMAGED = 5;
/** Frames without a command that the motor controller could still use. */
const UNHEARD = 3;
const OVERRUNS = 20;

/** Time of this frame beyond what its sequence says, in periods; NaN while the rate is not known. */
const excess = (facts: Facts) => (facts.dtUs * facts.nominalRate) / 1e6 - (facts.lost + 1);

/** The wire, its clock, and whether answers are in time. */
export const LINE_CONDITIONS = [
  {
    id: 'frame-late',
    says: "a sensor frame comes late by the motor controller's own clock",
    remedy: 'its control loop misses its deadline; report this to the firmware author',
    action: 'warn',
    clears: 'itself',
    debounce: 1,
    recovery: 20,
    threshold: () => 'more than half a period later than its sequence says',
    source: 'assumed; six periods are a gap',
    holds: (facts) => excess(facts) > 0.5,
  },
  {
    id: 'mcu-clock-jump',
    says: "the motor controller's clock jumps: its frames are further apart in time than in number",
    remedy: 'report this to the firmware author; disarm and arm again',
    action: 'brake',
    clears: 'disarm',
    debounce: 1,
    threshold: () => 'two periods more than the sequence says',
    source: 'assumed; watchdogs and limits of change are measured by this clock',
    holds: (facts) => excess(facts) > 2,
  },
  {
    id: 'frames-out-of-order',
    says: 'sensor frames come twice or in the wrong order',
    remedy:
      'look for a second program on the port, or a converter that repeats; see the link counters in `h2o-edge status`',
    action: 'warn',
    clears: 'itself',
    debounce: 1,
    recovery: 20,
    threshold: () => `more than ${MOST_OUT_OF_ORDER} in the latest second; each is dropped`,
    source: 'assumed; a frame that is missing counts as a gap besides',
    holds: (facts) => facts.framesOutOfOrder > MOST_OUT_OF_ORDER,
  },
  {
    id: 'line-noisy',
    says: 'frames arrive damaged',
    remedy: 'look at cable, ground and baud rate; see the link counters in `h2o-edge status`',
    action: 'warn',
    clears: 'itself',
    debounce: 1,
    recovery: 20,
    threshold: () => `more than ${MOST_DAMAGED} in the latest second; each is dropped`,
    source: 'assumed; a frame that is missing counts as a gap besides',
    holds: (facts) => facts.framesDamaged > MOST_DAMAGED,
  },
  {
    id: 'commands-late',
    says: 'the motor controller has no command that is still valid: answers reach it too late, or not at all',
    remedy: 'it brakes by itself; see latency and link counters in `h2o-edge status`, and `h2o-edge doctor`',
    action: 'warn',
    clears: 'itself',
    debounce: 1,
    recovery: 20,
    threshold: ({ timing }) => `${UNHEARD} frames without one; a command lives ${timing.commandTimeToLive} ms`,
    // The motor controller brakes on its own and latches by its watchdog; another late command would change nothing.
    source: 'robot file: timing.commandTimeToLive; three frames are assumed',
    holds: (facts) => facts.framesUnheard >= UNHEARD,
  },
  {
    id: 'overrun-lasting',
    says: 'answers keep taking longer than a frame period; the balancer, which is cheaper, took over',
    remedy: 'give control real-time priority (`h2o-edge run` as a user who may), or lower the load',
    action: 'fallback',
    clears: 'new-mode',
    debounce: 1,
    threshold: () => `${OVERRUNS} in a row`,
    source: 'assumed: 0.1 s at 200 Hz; less is only a warning',
    holds: (facts) => facts.overruns >= OVERRUNS,
  },
] as const satisfies readonly Condition[];
