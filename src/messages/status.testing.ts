import type { Status } from './status.ts';

/** A status of a robot that is well and does nothing, but for what is given. */
export const statusOf = (over: Partial<Status> = {}): Status => ({
  name: 'r1',
  robot: 'wheel-legged',
  revision: '0.1.0',
  pid: 1,
  uptimeSeconds: 1,
  scheduling: { policy: 'SCHED_OTHER', priority: 0 },
  state: 'disarmed',
  mode: { task: 'disarmed' },
  reasons: [],
  limits: [],
  estop: { latched: false, source: '', onDisk: false, problem: '' },
  mcu: {
    session: 'accepted',
    peer: 'mcu',
    state: 'idle',
    faults: [],
    latchCause: 'none',
    sensorRate: 200,
    measuredRate: 200,
  },
  estimate: { x: 0, v: 0, pitch: 0, pitchRate: 0, tilt: 0, torque: 0, battery: 24 },
  latencyUs: { count: 0, p50: 0, p99: 0, p999: 0, max: 0 },
  delay: null,
  counters: {},
  link: { path: '/dev/null', open: true, lastProblem: '' },
  controllers: [],
  refusedPolicies: {},
  ...over,
});
