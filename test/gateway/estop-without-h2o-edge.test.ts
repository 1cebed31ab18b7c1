import { describe, expect, it } from 'vitest';
import { topic } from '../../src/messages/mqtt.ts';
import { until } from '../harness.ts';
import { Mosquitto, noMosquitto } from './mosquitto.ts';
import { Rig, ROBOT } from './rig.ts';

const ESTOP = ['-t', topic(ROBOT, 'estop')];

const STOPS = [
  { what: 'the words of the README', words: ['-q', '1', '-m', 'stop'] },
  { what: 'JSON, QoS 0', words: ['-q', '0', '-m', '{"source":"the man with the phone","id":"7"}'] },
  { what: 'no payload at all', words: ['-q', '0', '-n'] },
  { what: 'a retained message, QoS 1', words: ['-q', '1', '-r', '-m', '{"broken'] },
];

describe.skipIf(noMosquitto)(
  'mosquitto_pub alone stops the robot, also when the gateway is dead (needs mosquitto)',
  () => {
    it('with any payload, QoS and retain flag; an empty retained message only clears', async () => {
      const broker = await Mosquitto.start();
      const rig = await Rig.start({ broker, gateway: false });
      const { robot } = rig;
      const listener = await rig.listener();
      await robot.status('the ear is up', ({ counters }) => counters['estopClient.connections'] === 1);

      for (const { what, words } of STOPS) {
        await robot.stand();
        const told = listener.events('estop-stage').length;
        await broker.publish([...ESTOP, ...words]);
        await robot.truth(`torque off by ${what}`, ({ state }) => state === 'estopped');
        // The word of a quick motor controller may overtake that of a slow disk.
        const stages = await until('three stages are told', () => {
          const since = listener.events('estop-stage').slice(told);
          return since.length >= 3 && since;
        });
        expect(stages[0]).toMatchObject({ stage: 'received' });
        expect(stages.map(({ stage }) => stage).sort(), what).toEqual(['confirmed', 'latched', 'received']);
        expect(stages.find(({ stage }) => stage === 'latched')).toMatchObject({ onDisk: true });
        expect((await robot.control.status()).estop).toMatchObject({ latched: true, onDisk: true });
        if (what.startsWith('JSON')) {
          for (const stage of stages)
            expect(stage).toMatchObject({ source: expect.stringContaining('phone'), ids: ['7'] });
        }
        await robot.reset();
        await robot.lift();
      }

      await robot.stand();
      await broker.publish([...ESTOP, '-q', '1', '-r', '-n']);
      await robot.status('the clearing was heard', ({ counters }) => (counters['estopClient.clearings'] ?? 0) > 0);
      await robot.simulator.wait(0.2);
      expect(await robot.control.status()).toMatchObject({ state: 'running', estop: { latched: false } });
      expect((await robot.control.status()).counters['estopClient.stops']).toBe(STOPS.length);
    });

    it('a retained stop waits for a robot that is started later, and is in force again until it is cleared', async () => {
      const broker = await Mosquitto.start();
      await broker.publish([...ESTOP, '-q', '1', '-r', '-m', 'do not move']);
      const { robot } = await Rig.start({ broker, gateway: false });
      await robot.truth('torque off', ({ state }) => state === 'estopped');
      expect(await robot.control.status()).toMatchObject({ state: 'estopped', estop: { latched: true } });

      await broker.publish([...ESTOP, '-q', '1', '-r', '-n']);
      await robot.status('the clearing was heard', ({ counters }) => (counters['estopClient.clearings'] ?? 0) > 0);
      await robot.reset();
      await robot.lift();
      await robot.stand();
    });
  },
);
