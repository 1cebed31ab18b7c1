import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { signCommand } from '../../src/keys/command.ts';
import { jsonForSocket, MAX_ANSWER, SocketSplitter } from '../../src/messages/socket-frame.ts';
import { MOVING, runningRobot } from './scenario.testing.ts';
import { tellTrouble } from './trouble.ts';

/** A client that signs and sends as it likes. */
async function stranger(path: string) {
  const socket = connect(path);
  await once(socket, 'connect');
  onTestFinished(() => void socket.destroy());
  const splitter = new SocketSplitter(MAX_ANSWER);
  let id = 0;
  return async (request: Record<string, unknown>): Promise<Record<string, unknown>> => {
    socket.write(jsonForSocket({ id: ++id, ...request }));
    for (;;) {
      const [bytes] = await once(socket, 'data');
      splitter.push(bytes);
      for (let message = splitter.next(); message; message = splitter.next()) {
        const answer = JSON.parse(message.payload.toString());
        if (answer.id === id) return answer;
      }
    }
  };
}

it('a wall clock that steps a year back or on makes no old order good again, and makes no good order old', async () => {
  const robot = await runningRobot();
  const { operator } = robot.folder;
  const ask = await stranger(robot.folder.controlSocket);
  let counter = Date.now();
  const order = async () => {
    const { challenge, robot: name } = await ask({ request: 'challenge' });
    counter += 1000;
    const said = { robot: String(name), challenge: String(challenge), counter };
    return signCommand({ ...said, command: { name: 'mode', mode: MOVING } }, operator);
  };
  const used = await order();
  expect(await ask({ request: 'command', envelope: used })).toMatchObject({ ok: true });

  for (const year of [-1, 1]) {
    const open = await order();
    await tellTrouble(robot.folder, { clock: year * 31_536_000_000 });
    await robot.advance(0.1);
    expect((await robot.status())?.reasons.map(({ id }) => id)).toContain('clock-step');
    expect(await ask({ request: 'command', envelope: used })).toMatchObject({
      refusal: { code: 'challenge-unknown-or-used' },
    });
    // Its challenge lives for ten seconds of the monotonic clock.
    expect(await ask({ request: 'command', envelope: open })).toMatchObject({ ok: true });
  }
  expect(robot.judge.violations).toEqual([]);
});
