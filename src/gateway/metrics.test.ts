import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { statusOf } from '../messages/status.testing.ts';
import { openMetrics } from './metrics.ts';

/** Debian's python3-prometheus-client reads OpenMetrics to the letter. */
const READER = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read
print(json.dumps([[m.name, m.type, [[s.name, s.labels, s.value] for s in m.samples]] for m in read(sys.stdin.read())]))
`;

const python = '/usr/bin/python3';
const missing = spawnSync(python, ['-c', 'import prometheus_client.openmetrics.parser']).status !== 0;

const source = {
  robot: 'r"1\\',
  counters: { recorder: { rowsDurable: 7, name: 'not a number' }, broker: {} },
  residentMemory: 1e8,
};

it.skipIf(missing)('is OpenMetrics to a reader that is strict (python3-prometheus-client)', () => {
  const status = statusOf({
    state: 'running',
    latencyUs: { count: 10, p50: 100, p99: 200, p999: 200, max: 200 },
    latencyBuckets: {
      sum: 1000,
      upTo: [
        [64, 0],
        [128, 6],
        [256, 10],
      ],
    },
    temperature: 41,
    counters: { frames: 10, arrivalJitterUs: 120 },
    reasons: [{ id: 'battery-low', action: 'warn', says: '', clears: '', remedy: '' }],
  });
  const { stdout, stderr } = spawnSync(python, ['-c', READER], {
    input: openMetrics({ ...source, status }),
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  const families: Array<[string, string, Array<[string, Record<string, string>, number]>]> = JSON.parse(stdout);
  const samples = families.flatMap(([, , all]) => all);
  expect(samples).toContainEqual(['h2o_up', { robot: 'r"1\\' }, 1]);
  expect(samples).toContainEqual(['h2o_robot_state', { h2o_robot_state: 'running' }, 1]);
  expect(samples).toContainEqual(['h2o_robot_state', { h2o_robot_state: 'disarmed' }, 0]);
  expect(samples).toContainEqual(['h2o_control_latency_seconds_bucket', { le: '0.000128' }, 6]);
  expect(samples).toContainEqual(['h2o_control_latency_seconds_sum', {}, 0.001]);
  expect(samples).toContainEqual(['h2o_motor_temperature_celsius', {}, 41]);
  expect(samples).toContainEqual(['h2o_condition_active', { condition: 'battery-low' }, 1]);
  expect(samples).toContainEqual(['h2o_control_events_total', { name: 'frames' }, 10]);
  expect(samples).toContainEqual(['h2o_gateway_events_total', { part: 'recorder', name: 'rowsDurable' }, 7]);
});

it('says that control is gone, and nothing of what is not known', () => {
  const text = openMetrics({ ...source, status: undefined });
  expect(text).toContain('h2o_up{robot="r\\"1\\\\"} 0\n');
  expect(text).not.toMatch(/NaN|h2o_control|h2o_robot/);
  expect(text.endsWith('\n# EOF\n')).toBe(true);
});
