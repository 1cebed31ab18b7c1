import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { frameForSocket, SocketKind } from '../src/messages/socket-frame.ts';
import { RawConnection, TestRobot, until } from './harness.ts';

const lengthOf = (bytes: number) => {
  const head = Buffer.alloc(5);
  head.writeUInt32LE(bytes, 0);
  return head;
};

it('garbage on the socket closes the connection that sent it, and nothing else', async () => {
  const robot = await TestRobot.start();
  await robot.stand();
  const before = await robot.control.status();
  await robot.simulator.request('mark', { name: 'garbage' });

  const broken = [
    { what: 'random bytes', bytes: Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0x7f]), randomBytes(100_000)]) },
    { what: 'a length beyond the limit', bytes: lengthOf((1 << 20) + 1) },
    { what: 'the largest length', bytes: lengthOf(0xffff_ffff) },
    { what: 'no length', bytes: lengthOf(0) },
    { what: 'rows, which only control sends', bytes: frameForSocket(SocketKind.row, randomBytes(1000)) },
  ];
  for (const { what, bytes } of broken) {
    const connection = await RawConnection.to(robot);
    connection.send(bytes);
    await until(`closed for ${what}`, () => connection.closed);
  }

  const odd = await RawConnection.to(robot);
  const nonsense = ['', '{', 'null', '[]', '7', '"stop"', '{"id":"x"}', '{"id":1,"request":"dance"}', '['.repeat(8000)];
  for (const text of nonsense) odd.send(frameForSocket(SocketKind.json, Buffer.from(text)));
  await until('each is answered', () => odd.answers.length === nonsense.length);
  for (const answer of odd.answers) {
    expect(answer).toMatchObject({ ok: false, refusal: { code: 'malformed-request' } });
  }
  expect(odd.closed).toBe(false);

  await robot.simulator.wait(0.5);
  const after = await robot.control.status();
  const grown = (name: string) => (after.counters[name] ?? 0) - (before.counters[name] ?? 0);
  expect(grown('socket.connectionsBroken')).toBe(broken.length);
  expect(grown('socket.requestsMalformed')).toBe(nonsense.length);
  expect(after).toMatchObject({ pid: before.pid, state: 'running', reasons: [] });
  expect(after.counters['frames.lost']).toBe(0);
  expect(await robot.simulator.measure('garbage')).toMatchObject({ falls: 0 });
});

it('connections that say nothing keep nobody from stopping the robot', async () => {
  const robot = await TestRobot.start();
  await robot.stand();
  const idle: RawConnection[] = [];
  for (let count = 0; count < 20; count++) idle.push(await RawConnection.to(robot));
  const finished = await robot.order('estop', '--json');
  expect(finished.stderr).toBe('');
  expect(finished.code).toBe(0);
  expect((await robot.simulator.truth()).state).toBe('estopped');
});
