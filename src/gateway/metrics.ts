import { ROBOT_STATES } from '../messages/states.ts';
import type { Status } from '../messages/status.ts';

/** What the gateway knows when somebody asks. */
export interface MetricsSource {
  readonly robot: string;
  /** undefined while control cannot be reached */
  readonly status: Status | undefined;
  /** counters of the gateway's parts: group, name, value */
  readonly counters: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** [bytes] */
  readonly residentMemory: number;
}

export const METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

interface Sample {
  readonly suffix?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One family as the OpenMetrics specification writes it, §Exposition format. Nothing is said of what is not known. */
function family(
  name: string,
  type: 'gauge' | 'counter' | 'stateset' | 'histogram',
  help: string,
  samples: readonly Sample[],
): string[] {
  const known = samples.filter(({ value }) => Number.isFinite(value));
  if (known.length === 0) return [];
  return [
    `# TYPE ${name} ${type}`,
    `# HELP ${name} ${help}`,
    ...known.map(({ suffix = '', labels = {}, value }) => {
      const words = Object.entries(labels).map(([key, text]) => `${key}="${quote(text)}"`);
      return `${name}${suffix}${words.length === 0 ? '' : `{${words.join(',')}}`} ${value}`;
    }),
  ];
}

const quote = (text: string): string => text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');

/** All metrics as text; docs/operations.md names them. */
export function openMetrics({ robot, status, counters, residentMemory }: MetricsSource): string {
  const gateway = Object.entries(counters).flatMap(([part, group]) => numbers(group, { part }));
  const lines = [
    ...family('h2o_up', 'gauge', 'Whether control answers.', [{ labels: { robot }, value: status ? 1 : 0 }]),
    ...family('h2o_gateway_resident_memory_bytes', 'gauge', 'Memory of the gateway.', [{ value: residentMemory }]),
    ...family('h2o_gateway_events', 'counter', 'Counters of the parts of the gateway.', gateway),
    ...(status ? ofControl(status) : []),
    '# EOF',
  ];
  return `${lines.join('\n')}\n`;
}

const numbers = (group: Readonly<Record<string, unknown>>, labels: Readonly<Record<string, string>>): Sample[] =>
  Object.entries(group).flatMap(([name, value]) =>
    typeof value === 'number' ? [{ suffix: '_total', labels: { ...labels, name }, value }] : [],
  );

/** Numbers of the status that can fall. */
const GAUGES = ['arrivalJitterUs', 'collection.cellsInAll', 'collection.transitions', 'collection.cells'];

function ofControl(status: Status): string[] {
  const { counters, estimate, mcu } = status;
  const active = new Set(status.reasons.map(({ id }) => id));
  const rising = Object.entries(counters).filter(
    ([name]) => !GAUGES.includes(name) && !/pending|waiting|held/i.test(name),
  );
  return [
    ...family('h2o_robot_state', 'stateset', 'What the robot does.', [
      ...ROBOT_STATES.map((state) => ({ labels: { h2o_robot_state: state }, value: state === status.state ? 1 : 0 })),
    ]),
    ...family('h2o_condition_active', 'gauge', 'Conditions of the failsafe table that are active.', [
      ...[...active].map((condition) => ({ labels: { condition }, value: 1 })),
    ]),
    ...family('h2o_estop_latched', 'gauge', 'Whether an emergency stop is in force.', [
      { value: status.estop.latched ? 1 : 0 },
    ]),
    ...latencyFamily(status),
    ...family('h2o_motor_temperature_celsius', 'gauge', 'Temperature of the hottest motor.', [
      { value: status.temperature ?? Number.NaN },
    ]),
    ...family('h2o_frame_jitter_seconds', 'gauge', 'p99.9 of how far off their pace the latest frames came.', [
      { value: (counters.arrivalJitterUs ?? Number.NaN) / 1e6 },
    ]),
    ...family('h2o_sensor_rate_hertz', 'gauge', 'Measured rate of sensor frames.', [
      { value: mcu.measuredRate ?? Number.NaN },
    ]),
    ...family('h2o_battery_volts', 'gauge', 'Voltage of the battery.', [{ value: estimate?.battery ?? Number.NaN }]),
    ...family('h2o_real_time_priority', 'gauge', 'Real-time priority of control; 0: none.', [
      { value: status.scheduling.priority },
    ]),
    ...family('h2o_control_uptime_seconds', 'gauge', 'Since control was started.', [{ value: status.uptimeSeconds }]),
    ...family('h2o_control_events', 'counter', 'Counters of control; `h2o-edge status` shows them by these names.', [
      ...rising.map(([name, value]) => ({ suffix: '_total', labels: { name }, value })),
    ]),
  ];
}

function latencyFamily({ latencyBuckets, latencyUs: { count } }: Status): string[] {
  if (!latencyBuckets) return [];
  return family('h2o_control_latency_seconds', 'histogram', 'Arrival of a sensor frame to the write of its answer.', [
    ...latencyBuckets.upTo.map(([bound, value]) => ({ suffix: '_bucket', labels: { le: String(bound / 1e6) }, value })),
    { suffix: '_bucket', labels: { le: '+Inf' }, value: count },
    { suffix: '_count', value: count },
    { suffix: '_sum', value: latencyBuckets.sum / 1e6 },
  ]);
}
