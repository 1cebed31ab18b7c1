import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateKeyPair, writePrivateKey } from '../../src/keys/key-pair.ts';
import { Mosquitto, noMosquitto } from '../gateway/mosquitto.ts';
import { Rig, ROBOT } from '../gateway/rig.ts';
import { temporaryFolder } from '../harness.ts';
import { noPaho, PythonOperator } from './python-operator.ts';

const STAND = { name: 'mode', mode: { task: 'standing-still', controller: 'balancer' } };
const MOVE = { task: 'moving-straight', controller: 'balancer' };

describe.skipIf(noMosquitto || noPaho)(
  'a client in Python that knows asyncapi.yaml alone (needs mosquitto, python3-paho-mqtt, python3-cryptography)',
  () => {
    it('watches, starts, moves, stops and resets a robot', async () => {
      const broker = await Mosquitto.start();
      // Heartbeats go by the clock on the wall, the robot's patience by an MCU time that may go faster.
      const rig = await Rig.start({ broker, config: { operatorHeartbeat: 5000 } });
      const { robot } = rig;
      await rig.operator();
      const python = new PythonOperator({ port: broker.port, robot: ROBOT, key: rig.operatorKey });
      const aMoment = () => robot.simulator.wait(0.1);

      expect(await python.does({ do: 'state' })).toMatchObject({ state: { online: true, state: 'disarmed' } });
      await python.accomplishes({ do: 'command', command: STAND }, aMoment);
      await robot.truth('it stands by itself', ({ state, hand }) => state === 'active' && !hand);
      const { telemetry = [] } = await python.does({ do: 'follow', count: 5 });
      expect(telemetry.length).toBeGreaterThanOrEqual(5);
      for (const { state, robotState } of telemetry) {
        expect(robotState).toBe('running');
        expect(Math.abs(state.pitch ?? Number.NaN)).toBeLessThan(0.5);
      }

      await python.accomplishes({ do: 'move', mode: MOVE }, aMoment);
      await robot.truth('it moves', ({ speed }) => speed > 0.15);
      await python.does({ do: 'quiet' });
      await robot.status('its silence is noticed', ({ reasons }) => reasons.some(({ id }) => id === 'heartbeat-lost'));

      expect(await python.does({ do: 'estop' })).toEqual({ ok: true, stages: ['confirmed', 'latched', 'received'] });
      expect((await robot.simulator.truth()).state).toBe('estopped');
      expect(await python.does({ do: 'command', command: STAND })).toMatchObject({
        ok: false,
        refusal: { code: expect.stringMatching(/^not-armed/) },
      });
      expect(await python.does({ do: 'command', command: { name: 'reset' } })).toMatchObject({
        ok: false,
        refusal: { code: 'confirmation-wanted' },
      });
      await robot.confirmReset();
      expect(await python.does({ do: 'command', command: { name: 'reset' } })).toMatchObject({ ok: true });
      await robot.truth('idle', ({ state }) => state === 'idle');

      await robot.lift();
      await python.accomplishes({ do: 'command', command: STAND }, aMoment);
      expect(await python.does({ do: 'disarm' })).toMatchObject({ ok: true });
      expect((await robot.control.status()).state).toBe('disarmed');
    });

    it('starts nothing with a key that the robot does not know', async () => {
      const broker = await Mosquitto.start();
      const rig = await Rig.start({ broker });
      await rig.operator();
      const stranger = join(temporaryFolder(), 'stranger.pem');
      writePrivateKey(stranger, generateKeyPair().privateKey);
      const python = new PythonOperator({ port: broker.port, robot: ROBOT, key: stranger });
      expect(await python.does({ do: 'command', command: STAND })).toMatchObject({
        ok: false,
        refusal: { code: 'unknown-key' },
      });
      // But it may stop the robot like everybody.
      expect(await python.does({ do: 'estop' })).toMatchObject({ ok: true });
    });
  },
);
