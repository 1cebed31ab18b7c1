import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { jsonForSocket } from '../src/messages/socket-frame.ts';
import { RawConnection, TestRobot, until } from './harness.ts';

const FLOOD = 10_000;

it('ten thousand emergency stops at once cost no frame', async () => {
  const robot = await TestRobot.start();
  await robot.stand();
  const before = await robot.control.status();
  const { commandsRejected } = await robot.simulator.truth();

  const connection = await RawConnection.to(robot);
  const request = { request: 'estop', source: 'flood' };
  connection.send(Buffer.concat(Array.from({ length: FLOOD }, (_, id) => jsonForSocket({ id, ...request }))));
  await robot.truth('torque off', ({ state }) => state === 'estopped');
  // Requests of a connection are served in their order; an answer may be left out while too many wait to be read.
  let id = FLOOD;
  await until('the flood is over', () => {
    id += 1;
    connection.send(jsonForSocket({ id, request: 'status' }));
    return connection.answers.some((answer) => Number(answer.id) > FLOOD);
  });

  const after = await robot.control.status();
  expect(after).toMatchObject({ state: 'estopped', estop: { latched: true, source: 'flood', onDisk: true } });
  expect(existsSync(robot.latchFile)).toBe(true);
  expect(after.counters.frames).toBeGreaterThan(before.counters.frames ?? 0);
  expect(after.counters.answered).toBe(after.counters.frames);
  expect(after.counters.superseded).toBe(before.counters.superseded);
  expect(after.counters).toMatchObject({ 'frames.lost': 0, 'link.silences': 0, 'link.losses': 0 });
  const { expired, unknownAnswer } = commandsRejected;
  expect((await robot.simulator.truth()).commandsRejected).toMatchObject({ expired, unknownAnswer });
});
