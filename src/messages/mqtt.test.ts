import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { generatedDocs, staleDocs } from '../commands/docs/generated-docs.ts';
import {
  allowedResponseTopic,
  commandRequest,
  estopMessage,
  MQTT_TOPICS,
  type MqttTopic,
  parsePayload,
  stateMessage,
  type TopicName,
  topic,
  trainerTopic,
  treeOf,
} from './mqtt.ts';
import { offlineState, stateKey, stateOf } from './mqtt-state.ts';
import { statusOf } from './status.testing.ts';

const recording = { on: true, rows: 5, problem: '' };

describe('topics', () => {
  it('stand in one tree for each robot', () => {
    const ofRobots = Object.entries<MqttTopic>(MQTT_TOPICS).filter(([, row]) => treeOf(row) === 'robot');
    expect(ofRobots.map(([name]) => topic('r1', name as TopicName))).toEqual([
      'h2o/v1/r1/estop',
      'h2o/v1/r1/challenge',
      'h2o/v1/r1/command',
      'h2o/v1/r1/command/response',
      'h2o/v1/r1/heartbeat',
      'h2o/v1/r1/state',
      'h2o/v1/r1/event',
      'h2o/v1/r1/telemetry',
      'h2o/v1/r1/dataset/offer',
      'h2o/v1/r1/dataset/claim',
      'h2o/v1/r1/dataset/acknowledge',
      'h2o/v1/r1/dataset/status',
      'h2o/v1/r1/policy/offer',
      'h2o/v1/r1/policy/want',
      'h2o/v1/r1/policy/chunk',
      'h2o/v1/r1/policy/status',
    ]);
  });

  it('of a trainer stand in its own, with a corner for each robot', () => {
    expect(trainerTopic('lab', 'datasetChunk', 'r1')).toBe('h2o/v1/trainer/lab/dataset/r1/chunk');
    for (const [trainer, robot] of [
      ['+', 'r1'],
      ['lab', '#'],
      ['lab', undefined],
    ] as const) {
      expect(() => trainerTopic(trainer, 'datasetChunk', robot)).toThrow(
        expect.objectContaining({ codeName: 'usage' }),
      );
    }
  });

  it('are answered on rows that exist', () => {
    const answers = Object.values<MqttTopic>(MQTT_TOPICS).flatMap(({ answer }) => answer ?? []);
    expect(answers.filter((name) => !(name in MQTT_TOPICS))).toEqual([]);
  });

  it.each(['+', '#', 'a/b', '', 'R1', 'x'.repeat(33), 'r1/estop'])('are not made for %j', (robot) => {
    expect(() => topic(robot, 'estop')).toThrow(expect.objectContaining({ codeName: 'usage' }));
  });

  it('for answers are the default, and one word below it', () => {
    const base = 'h2o/v1/r1/command/response';
    expect(allowedResponseTopic('r1', undefined)).toBe(base);
    expect(allowedResponseTopic('r1', base)).toBe(base);
    expect(allowedResponseTopic('r1', `${base}/Anna_1-x`)).toBe(`${base}/Anna_1-x`);
    expect(allowedResponseTopic('r1', `${base}/${'x'.repeat(65)}`)).toBeUndefined();
    expect(allowedResponseTopic('r1', 'h2o/v1/r1/estop')).toBeUndefined();
  });
});

describe('a payload', () => {
  const problemOf = (text: string) => {
    const parsed = parsePayload(commandRequest, Buffer.from(text));
    return parsed.ok ? '' : parsed.problem;
  };

  it('that is wrong is refused in words that help', () => {
    expect(problemOf('stop')).toBe('not JSON');
    expect(problemOf('[]')).toBe('not a JSON object');
    expect(problemOf('{"id":1,"request":"reset"}')).toContain('"status"|"disarm"');
    expect(problemOf('{"id":1,"request":"status","now":true}')).toContain('"now"');
    expect(problemOf('{"id":1,"request":"status","schema":2}')).toContain('schema');
  });

  it('of a stop may be anything; its schema is only a recommendation', () => {
    expect(estopMessage.safeParse({ source: 'anna', id: 'x', why: 'smoke' }).success).toBe(true);
  });
});

describe('a state', () => {
  it('is what its schema says', () => {
    const state = stateOf(statusOf(), recording, 1);
    expect(stateMessage.parse(JSON.parse(JSON.stringify(state)))).toEqual(state);
    expect(stateMessage.parse(offlineState('gone', 1))).toEqual({ schema: 1, online: false, at: 1, problem: 'gone' });
  });

  it('has no battery while none is known', () => {
    expect(stateOf(statusOf({ estimate: null }), recording, 1).battery).toBeNull();
  });

  it('is new when a person would say so, and not when a number creeps', () => {
    const key = stateKey(stateOf(statusOf(), recording, 1));
    const reasons = [{ id: 'r', action: 'warn' as const, says: '', clears: '', remedy: '' }];
    expect(stateKey(stateOf(statusOf({ limits: ['slew'], uptimeSeconds: 9 }), { ...recording, rows: 9 }, 2))).toBe(key);
    expect(stateKey(stateOf(statusOf({ reasons }), recording, 1))).not.toBe(key);
    expect(stateKey(stateOf(statusOf({ state: 'limp' }), recording, 1))).not.toBe(key);
    expect(stateKey(stateOf(statusOf(), { ...recording, on: false }, 1))).not.toBe(key);
    expect(stateKey(offlineState('x', 1))).not.toBe(key);
  });
});

describe('the generated documentation', () => {
  it('is current; if not, `npm run docs` makes it so', () => {
    expect(staleDocs().map(({ path }) => path)).toEqual([]);
  });

  it('has every topic with its QoS and retain flag, and no reference that leads nowhere', () => {
    const path = generatedDocs()[0]?.path ?? '';
    const document = parse(readFileSync(path, 'utf8'));
    const operations = Object.values<{
      channel: { $ref: string };
      bindings: { mqtt: { qos: number; retain: boolean } };
    }>(document.operations);
    const found = operations.map(({ channel, bindings }) => {
      const name = channel.$ref.replace('#/channels/', '');
      return [name, document.channels[name].address, bindings.mqtt.qos, bindings.mqtt.retain];
    });
    expect(found).toEqual(
      Object.entries<MqttTopic>(MQTT_TOPICS).map(([name, row]) => [
        name,
        `h2o/v1/${treeOf(row) === 'robot' ? '{robot}' : 'trainer/{trainer}'}/${row.path}`,
        row.qos,
        row.retain === 'yes',
      ]),
    );
    for (const [, reference] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const target = (reference ?? '').split('/').reduce((value, key) => value?.[key], document);
      expect(target, reference).toBeDefined();
    }
  });
});
