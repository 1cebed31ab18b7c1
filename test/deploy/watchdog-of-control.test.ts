import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { familyOf, STAND, TestRobot, temporaryFolder, until } from '../harness.ts';
import { notifySocket } from './service-manager.testing.ts';

const TROUBLE = fileURLToPath(new URL('../fixtures/trouble.cjs', import.meta.url));

it('control feeds the service manager with the ticks of a standing robot through one helper; a tick that stalls ends the feeding', async () => {
  const folder = temporaryFolder();
  const receiver = await notifySocket(join(folder, 'notify'));
  const trouble = join(folder, 'trouble');
  const robot = await TestRobot.start({
    environment: {
      NOTIFY_SOCKET: receiver.path,
      WATCHDOG_USEC: '400000',
      NODE_OPTIONS: `--require ${TROUBLE}`,
      TROUBLE_SOCKET: trouble,
    },
  });
  const said = (field: string) => receiver.heard.filter((fields) => fields.includes(field)).length;
  await until('it is ready and watched', () => said('READY=1') === 1 && said('WATCHDOG_USEC=400000') === 1);
  const start = receiver.heard.find((fields) => fields.includes('READY=1'));
  // Frames are not due before the port is open: nobody kills a control whose robot is unplugged.
  expect(start).toEqual(['READY=1', 'STATUS=disarmed', 'WATCHDOG_USEC=0']);

  const pid = await robot.controlPid();
  const helpers = () =>
    familyOf(pid)
      .map((one) => one.pid)
      .filter((one) => one !== pid);
  const before = helpers();
  expect(before).toHaveLength(1);
  await robot.stand(STAND);
  const fed = said('WATCHDOG=1');
  await until('it is fed while it stands', () => said('WATCHDOG=1') > fed + 3);
  // Nothing was forked for it.
  expect(helpers()).toEqual(before);
  await until('it says what it does', () => said('STATUS=running') > 0);

  const release = join(folder, 'go-on');
  const socket = connect(trouble);
  socket.write(`${JSON.stringify({ block: release, work: 'sleep' })}\n`);
  await once(socket, 'data');
  socket.destroy();
  // Several times as long as the pause between two feedings, of whatever was said before it stalled.
  await until('it has stalled', () => existsSync(`${release}.blocked`));
  await delay(200);
  const { length } = receiver.heard;
  await delay(600);
  expect(receiver.heard.slice(length).flat()).not.toContain('WATCHDOG=1');
  writeFileSync(release, '');
  const afterwards = said('WATCHDOG=1');
  await until('it is fed again', () => said('WATCHDOG=1') > afterwards);

  // The simulator goes: no frames are due any more.
  const watching = said('WATCHDOG_USEC=0');
  await robot.simulator.request('quit');
  await until('the watch is suspended', () => said('WATCHDOG_USEC=0') > watching);
  // The same helper all the way.
  expect(helpers()).toEqual(before);
});
