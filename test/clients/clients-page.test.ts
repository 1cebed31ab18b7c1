import { spawnSync } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Mosquitto, noMosquitto } from '../gateway/mosquitto.ts';
import { Rig, ROBOT } from '../gateway/rig.ts';
import { reasonsOf, until } from '../harness.ts';
import { Offering } from '../policy-updates/offering.ts';
import { ID, writeVersion } from '../policy-updates/versions.ts';
import { ClientsPage } from './page.ts';
import { noPaho } from './python-operator.ts';

const noTools = ['jq', 'openssl', 'mosquitto_rr'].some((program) => spawnSync(program, ['--help']).error !== undefined);

describe.skipIf(noMosquitto || noTools || noPaho)(
  'docs/clients.md (needs mosquitto-clients, jq, openssl, python3-paho-mqtt, python3-cryptography)',
  () => {
    it('does what it says, command by command', async () => {
      const broker = await Mosquitto.start();
      // Heartbeats go by the clock on the wall, the robot's patience by an MCU time that may go faster.
      let release: KeyObject | undefined;
      const rig = await Rig.start({
        broker,
        config: { operatorHeartbeat: 20_000 },
        bundles: async (folder, key) => {
          release = key;
          await writeVersion(join(folder, ID), { release: key, version: 1 });
        },
      });
      const { robot } = rig;
      if (!release) throw new Error('no bundle was written');
      const page = new ClientsPage({ port: broker.port, robot: ROBOT, key: rig.operatorKey });
      await rig.operator();
      /** What it orders is refused for as long as the robot is not ready, as anybody's order is. */
      const obeyed = (what: string) =>
        until(`"${what}" is obeyed`, async () => {
          if ((await page.run(what)).trim() === '{"schema":1,"id":3,"ok":true}') return true;
          await robot.simulator.wait(0.1);
          return false;
        });

      expect(JSON.parse(await page.run('$tree/state -C 1'))).toEqual({
        online: true,
        state: 'disarmed',
        mode: { task: 'disarmed' },
        why: expect.any(Array),
      });
      expect(JSON.parse(await page.run('"request": "status"'))).toMatchObject({
        state: 'disarmed',
        controllers: [ID],
        estop: { latched: false },
      });
      await obeyed(`order '{"name": "mode", "mode": {"task": "standing-still"`);
      await robot.truth('it stands by itself', ({ state, hand }) => state === 'active' && !hand);
      const telemetry = (await page.run('$tree/telemetry -C 5')).trim().split('\n');
      expect(telemetry).toHaveLength(5);
      for (const line of telemetry) {
        for (const value of JSON.parse(line)) expect(value).toEqual(expect.any(Number));
      }

      await robot.simulator.request('mark', { name: 'moving' });
      expect(await page.run('$tree/heartbeat')).toContain('"ok":true');
      expect((await robot.simulator.measure('moving')).distance).toBeGreaterThan(0.3);
      await robot.status('nobody is there any more', (status) => reasonsOf(status).includes('heartbeat-lost'));
      expect(await page.run(`ask command '{"id": 2`)).toContain('"ok":true');
      expect((await robot.control.status()).state).toBe('disarmed');

      await robot.lift();
      await robot.stand();
      await page.run('-m stop');
      await robot.truth('torque is off', ({ state }) => state === 'estopped');
      await robot.confirmReset();
      await obeyed(`'{"name": "reset"}'`);
      await robot.truth('idle', ({ state }) => state === 'idle');
      await robot.lift();
      await robot.stand();
      const stages = (await page.run('events.txt')).trim().split('\n');
      expect(stages.sort()).toEqual(['confirmed', 'latched', 'received']);
      await robot.reset();
      await robot.lift();

      await robot.status('ready', ({ mcu }) => mcu.state === 'idle');
      await robot.simulator.wait(1);
      const said = (await page.run('import paho')).trim().split('\n');
      expect(said[0]).toBe('disarmed');
      expect(said.slice(1)).toEqual(Array(3).fill(expect.stringContaining("'ok': True")));

      const second = await writeVersion(join(page.folder, 'second'), {
        release,
        version: 2,
        weight: (weight) => 1.02 * weight,
      });
      await new Offering(broker, second).becomes('eligible');
      expect(await page.run('$tree/policy/status')).toContain(`["${ID}",2,"eligible"]`);
      await obeyed('"action": "activate"');
      const inCharge = (version: number) =>
        robot.status(`version ${version} is in charge`, ({ policies }) =>
          policies.some((one) => one.version === version && one.active),
        );
      await inCharge(2);
      await obeyed('"action": "rollback"');
      await inCharge(1);

      expect(page.unread).toEqual([]);
    });
  },
);
