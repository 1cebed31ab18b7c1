import type { MqttClient } from 'mqtt';
import { describe, expect, it } from 'vitest';
import { MQTT_TOPICS, type MqttTopic } from '../../src/messages/mqtt.ts';
import { until } from '../harness.ts';
import { noMosquitto } from './mosquitto.ts';
import { SecureMosquitto } from './secure-mosquitto.ts';

/** MQTT 5 §3.4.2.1 */
const NOT_AUTHORISED = 0x87;

const TOPICS = Object.values<MqttTopic>(MQTT_TOPICS);
const RESPONSE_TO_ONE = 'command/response/h2o-client-1';
/** The rows of a direction, of those with that party at the other end, as seen by a robot of that name. */
const rows = (direction: MqttTopic['direction'], other?: MqttTopic['others'][number], robot = '') =>
  TOPICS.filter((row) => row.direction === direction && (!other || row.others.includes(other))).map(({ path }) =>
    path.replace('{robot}', robot),
  );
const FROM_ROBOT = [...rows('from-robot'), RESPONSE_TO_ONE];
const TO_ROBOT = rows('to-robot');
const PATHS = [...FROM_ROBOT, ...TO_ROBOT];

const ROBOTS = ['robot-a', 'robot-b'] as const;
/** In the tree of a trainer: each corner of a robot, and what is for or from everybody. */
const inTrainers = (direction: MqttTopic['direction'], other?: MqttTopic['others'][number], robot?: string) =>
  [...new Set((robot ? [robot] : ROBOTS).flatMap((one) => rows(direction, other, one)))].map(
    (path) => `h2o/v1/trainer/lab/${path}`,
  );
const IN_TRAINERS = [...inTrainers('to-trainer'), ...inTrainers('from-trainer')];

/** Beside the tree of `robot-a`, or too deep in it. */
const NOBODYS = [
  '$SYS/broker/uptime',
  'h2o/v1/somewhere',
  'h2o/v1/robot-a',
  'h2o/v1/robot-a/state/more',
  'h2o/v1/robot-a/command/response/one/more',
  'h2o/v1/robot-a/estop/set',
  'h2o/v1/robot-ab/state',
  'h2o/v1/robot-/state',
  'h2o/v1//state',
  '/h2o/v1/robot-a/state',
  'H2O/v1/robot-a/state',
  'h2o/v2/robot-a/estop',
  'estop',
];

interface Party {
  readonly who: string;
  readonly mayWrite: (robot: string, path: string) => boolean;
  readonly mayRead: (robot: string, path: string) => boolean;
  /** the topics in the tree of a trainer that it may write and read */
  readonly writes: readonly string[];
  readonly reads: readonly string[];
}

const PARTIES: Record<string, Party> = {
  'robot-a': {
    who: 'a robot',
    mayWrite: (robot, path) => path === 'estop' || (robot === 'robot-a' && FROM_ROBOT.includes(path)),
    mayRead: (robot, path) => robot === 'robot-a' && TO_ROBOT.includes(path),
    writes: inTrainers('to-trainer', 'robot', 'robot-a'),
    reads: inTrainers('from-trainer', 'robot'),
  },
  operator: {
    who: 'an operator',
    mayWrite: (_, path) => path === 'estop' || rows('to-robot', 'operator').includes(path),
    mayRead: () => true,
    writes: inTrainers('to-trainer', 'operator'),
    reads: IN_TRAINERS,
  },
  trainer: {
    who: 'a trainer',
    mayWrite: (_, path) => path === 'estop' || rows('to-robot', 'trainer').includes(path),
    mayRead: (_, path) => rows('from-robot', 'trainer').includes(path),
    writes: inTrainers('from-trainer'),
    // What robots hear of trainers anybody with a certificate hears.
    reads: [...inTrainers('to-trainer'), ...inTrainers('from-trainer', 'robot')],
  },
  anyone: {
    who: 'anybody without a certificate',
    mayWrite: (_, path) => path === 'estop',
    mayRead: (_, path) => path === 'state',
    writes: [],
    reads: [],
  },
};

/** Whether the broker takes a message. It says so: MQTT 5. */
async function takes(client: MqttClient, topic: string): Promise<boolean> {
  try {
    await client.publishAsync(topic, 'x', { qos: 1 });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === NOT_AUTHORISED) return false;
    throw error;
  }
}

/** All that a client hears, whatever it subscribes to: mosquitto grants every subscription and holds messages back. */
async function ears(client: MqttClient): Promise<Set<string>> {
  const heard = new Set<string>();
  client.on('message', (topic) => heard.add(topic));
  for (const filter of ['#', 'h2o/#', 'h2o/v1/+/+']) await client.subscribeAsync(filter, { qos: 1 }).catch(() => {});
  const single = ROBOTS.flatMap((robot) => PATHS.map((path) => `h2o/v1/${robot}/${path}`));
  for (const filter of [...single, ...IN_TRAINERS]) await client.subscribeAsync(filter, { qos: 1 }).catch(() => {});
  return heard;
}

describe.skipIf(noMosquitto)('with the mosquitto configuration that ships (needs mosquitto)', () => {
  it('each says and hears what is theirs, for every topic, of their own robot and of another', async () => {
    const broker = await SecureMosquitto.start();
    const clients: Record<string, MqttClient> = {
      'robot-a': await broker.client(await broker.issue('robot', 'robot-a')),
      'robot-b': await broker.client(await broker.issue('robot', 'robot-b')),
      operator: await broker.client(await broker.issue('operator', 'anna')),
      trainer: await broker.client(await broker.issue('trainer', 'lab')),
      anyone: await broker.client(),
    };
    const [robotA, robotB, operator, trainer] = [
      clients['robot-a'],
      clients['robot-b'],
      clients.operator,
      clients.trainer,
    ];
    if (!robotA || !robotB || !operator || !trainer) throw new Error('a client is missing');

    // Nobody's rights hang on what was said before, so all may speak first.
    for (const [name, { who, mayWrite }] of Object.entries(PARTIES)) {
      const client = clients[name];
      if (!client) throw new Error(name);
      for (const robot of ROBOTS) {
        for (const path of PATHS) {
          expect(await takes(client, `h2o/v1/${robot}/${path}`), `${who} writes ${robot}/${path}`).toBe(
            mayWrite(robot, path),
          );
        }
      }
      for (const topic of IN_TRAINERS) {
        expect(await takes(client, topic), `${who} writes ${topic}`).toBe(PARTIES[name]?.writes.includes(topic));
      }
      for (const topic of NOBODYS) expect(await takes(client, topic), `${who} writes ${topic}`).toBe(false);
    }

    const heard = Object.fromEntries(
      await Promise.all(Object.entries(clients).map(async ([name, client]) => [name, await ears(client)] as const)),
    );
    for (const [robot, speaker] of [
      ['robot-a', robotA],
      ['robot-b', robotB],
    ] as const) {
      for (const path of PATHS) {
        const by = FROM_ROBOT.includes(path)
          ? speaker
          : rows('to-robot', 'operator').includes(path)
            ? operator
            : trainer;
        expect(await takes(by, `h2o/v1/${robot}/${path}`)).toBe(true);
      }
    }
    for (const topic of IN_TRAINERS) {
      const by = [trainer, operator, robotA, robotB].find(
        (_, index) => PARTIES[['trainer', 'operator', 'robot-a'][index] ?? '']?.writes.includes(topic) ?? true,
      );
      expect(by && (await takes(by, topic)), topic).toBe(true);
    }
    for (const [name, { who, mayRead, reads }] of Object.entries(PARTIES)) {
      const due = [
        ...ROBOTS.flatMap((robot) =>
          PATHS.filter((path) => mayRead(robot, path)).map((path) => `h2o/v1/${robot}/${path}`),
        ),
        ...reads,
      ];
      await until(`${who} has heard all that is due`, () => due.every((topic) => heard[name]?.has(topic)));
    }
    // A round trip of every client: what was on its way to it has come.
    await Promise.all(Object.values(clients).map((client) => takes(client, 'h2o/v1/nobody/estop')));
    for (const [name, { who, mayRead, reads }] of Object.entries(PARTIES)) {
      for (const topic of IN_TRAINERS) {
        expect(heard[name]?.has(topic), `${who} reads ${topic}`).toBe(reads.includes(topic));
      }
      for (const robot of ROBOTS) {
        for (const path of PATHS) {
          expect(heard[name]?.has(`h2o/v1/${robot}/${path}`), `${who} reads ${robot}/${path}`).toBe(
            mayRead(robot, path),
          );
        }
      }
    }
  });

  it('nobody becomes another by a user name that they claim', async () => {
    const broker = await SecureMosquitto.start();
    const robot = await broker.client(await broker.issue('robot', 'robot-a'), { username: 'operator', password: 'x' });
    expect(await takes(robot, 'h2o/v1/robot-b/command')).toBe(false);
    expect(await takes(robot, 'h2o/v1/robot-a/state')).toBe(true);
    for (const [attempt, username] of ['operator', 'trainer', 'robot-a', '+', '#'].entries()) {
      const claimed = await broker.client(undefined, { username }).catch(() => undefined);
      // Refused altogether, or nobody all the same.
      if (!claimed) continue;
      for (const path of PATHS.filter((candidate) => candidate !== 'estop')) {
        expect(await takes(claimed, `h2o/v1/robot-a/${path}`), `"${username}" writes ${path}`).toBe(false);
      }
      const heard = new Set<string>();
      claimed.on('message', (topic) => heard.add(topic));
      await claimed.subscribeAsync('h2o/v1/robot-a/command', { qos: 1 }).catch(() => {});
      const operator = await broker.client(await broker.issue('operator', 'anna', { file: `anna-${attempt}` }));
      await takes(operator, 'h2o/v1/robot-a/command');
      await takes(claimed, 'h2o/v1/robot-a/estop');
      expect([...heard]).toEqual([]);
    }
  });

  it("no robot leaves a last will in another's name", async () => {
    const broker = await SecureMosquitto.start();
    const files = await broker.issue('robot', 'robot-a');
    const operator = await broker.client(await broker.issue('operator', 'anna'));
    const heard: string[] = [];
    operator.on('message', (topic) => heard.push(topic));
    await operator.subscribeAsync('h2o/v1/#', { qos: 1 });
    for (const robot of ['robot-b', 'robot-a']) {
      const will = { topic: `h2o/v1/${robot}/state`, payload: Buffer.from('offline'), qos: 1, retain: false } as const;
      const client = await broker.client(files, { will }).catch(() => undefined);
      client?.stream.destroy();
    }
    // The second is its own and must come; the first was due before it.
    await until('the own will', () => heard.includes('h2o/v1/robot-a/state'));
    expect(heard).toEqual(['h2o/v1/robot-a/state']);
  });

  it('a crowd on the open port, and packets without end, take nothing from those with certificates', async () => {
    const broker = await SecureMosquitto.start();
    const crowd = await Promise.all(Array.from({ length: 70 }, () => broker.client().catch(() => undefined)));
    const inside = crowd.filter((client) => client !== undefined);
    expect(inside.length).toBeLessThanOrEqual(50);
    expect(inside.length).toBeGreaterThan(0);
    const operator = await broker.client(await broker.issue('operator', 'anna'));
    expect(await takes(operator, 'h2o/v1/robot-a/estop')).toBe(true);

    const [one] = inside;
    if (!one) throw new Error('nobody came in');
    const dismissed = new Promise<number | undefined>((resolve) => {
      one.once('disconnect', ({ reasonCode }) => resolve(reasonCode));
      one.once('close', () => resolve(undefined));
    });
    one.publish('h2o/v1/robot-a/estop', Buffer.alloc(600_000), { qos: 1 }, () => {});
    // MQTT 5 §4.13: packet too large; or simply the end.
    expect([0x95, undefined]).toContain(await dismissed);
    expect(await takes(operator, 'h2o/v1/robot-a/estop')).toBe(true);
  });

  it('a stop that anybody left with the broker outlives its restart, and anybody clears it', async () => {
    const broker = await SecureMosquitto.start();
    const files = await broker.issue('robot', 'robot-a');
    const ear = async () => {
      const robot = await broker.client(files);
      const heard: Array<{ retain: boolean; length: number }> = [];
      robot.on('message', (_, payload, { retain }) => heard.push({ retain, length: payload.length }));
      const subscribe = { 'h2o/v1/robot-a/estop': { qos: 1, rap: true, rh: 0 } } as const;
      await robot.subscribeAsync(subscribe);
      return { heard, robot };
    };
    await (await broker.client()).publishAsync('h2o/v1/robot-a/estop', 'stop', { qos: 1, retain: true });
    await broker.stop();
    await broker.start();
    const { heard } = await ear();
    await until('the stop is still there', () => heard.length > 0);
    expect(heard).toEqual([{ retain: true, length: 4 }]);

    await (await broker.client()).publishAsync('h2o/v1/robot-a/estop', '', { qos: 1, retain: true });
    const later = await ear();
    // Whatever was retained has come before the answer to this.
    expect(await takes(later.robot, 'h2o/v1/robot-a/state')).toBe(true);
    expect(later.heard).toEqual([]);
  });
});
