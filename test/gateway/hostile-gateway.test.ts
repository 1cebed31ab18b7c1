import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { signCommand } from '../../src/keys/command.ts';
import { generateKeyPair } from '../../src/keys/key-pair.ts';
import type { ArmedMode } from '../../src/messages/mode.ts';
import {
  frameForSocket,
  jsonForSocket,
  MAX_ANSWER,
  SocketKind,
  SocketSplitter,
} from '../../src/messages/socket-frame.ts';
import { reasonsOf, STAND, until } from '../harness.ts';
import { Mosquitto, noMosquitto } from './mosquitto.ts';
import { Rig, ROBOT } from './rig.ts';

const MOVE: ArmedMode = { task: 'moving-straight', controller: 'balancer' };

/** A program in the gateway's place: it speaks the protocol of control's socket, and means no good. */
class Impostor {
  readonly answers: Array<Record<string, unknown>> = [];
  rows = 0;
  closed = false;
  readonly socket: Socket;
  readonly #splitter = new SocketSplitter(MAX_ANSWER);
  #lastId = 0;

  constructor(path: string) {
    const socket = connect(path);
    this.socket = socket;
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('data', (bytes: Buffer) => {
      this.#splitter.push(bytes);
      for (let message = this.#splitter.next(); message; message = this.#splitter.next()) {
        if (message.kind === SocketKind.row) this.rows += 1;
        else if (message.kind === SocketKind.json) this.answers.push(JSON.parse(message.payload.toString('utf8')));
      }
    });
  }

  send(request: Record<string, unknown>): number {
    this.#lastId += 1;
    this.socket.write(jsonForSocket({ id: this.#lastId, ...request }));
    return this.#lastId;
  }

  async ask(request: Record<string, unknown>): Promise<Record<string, unknown>> {
    const id = this.send(request);
    return await until(`an answer to ${String(request.request)}`, () =>
      this.answers.find((answer) => answer.id === id),
    );
  }
}

const refused = (code: string | RegExp) => ({
  ok: false,
  refusal: expect.objectContaining({ code: expect.stringMatching(code) }),
});

/** All that it can think of to set the robot going. */
async function triesToStart(path: string, recorded: readonly unknown[]): Promise<void> {
  const impostor = new Impostor(path);
  expect(await impostor.ask({ request: 'subscribe', rows: true, events: true })).toMatchObject({ ok: true });
  // What was good once, from another connection.
  for (const envelope of recorded) {
    expect(await impostor.ask({ request: 'command', envelope })).toMatchObject(refused('challenge-unknown-or-used'));
  }
  // Words without a signature.
  expect(await impostor.ask({ request: 'mode', mode: STAND })).toMatchObject(refused('malformed-request'));
  expect(await impostor.ask({ request: 'command', envelope: { name: 'mode', mode: STAND } })).toMatchObject(
    refused('malformed-envelope'),
  );
  // A key of its own, over a challenge of its own; there are as many as it likes.
  const { privateKey } = generateKeyPair();
  for (let count = 0; count < 500; count++) impostor.send({ request: 'challenge' });
  const { challenge } = await impostor.ask({ request: 'challenge' });
  const command = { name: 'mode', mode: STAND };
  const forged = signCommand(
    { robot: ROBOT, challenge: String(challenge), counter: Date.now() + 1e10, command },
    privateKey,
  );
  expect(await impostor.ask({ request: 'command', envelope: forged })).toMatchObject(
    refused(/^(unknown-key|too-many-commands)$/),
  );
  // A flood of them: refused, and what is refused costs nothing.
  for (let count = 0; count < 500; count++) impostor.send({ request: 'command', envelope: forged });
  // A reset is no way round.
  expect(await impostor.ask({ request: 'reset' })).toMatchObject(refused('malformed-request'));
  // Rows that it never stored.
  expect(await impostor.ask({ request: 'acknowledge', sequence: Number.MAX_SAFE_INTEGER })).toMatchObject({ ok: true });
  expect(await impostor.ask({ request: 'acknowledge', sequence: -1 })).toMatchObject(refused('malformed-request'));
  await until('rows come all the same', () => impostor.rows > 100);
  // Noise, in the frames of the protocol and out of them.
  for (let count = 0; count < 100; count++) {
    impostor.socket.write(frameForSocket(SocketKind.json, randomBytes(1 + Math.floor(Math.random() * 200))));
  }
  impostor.socket.write(Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0x7f]), randomBytes(10_000)]));
  await until('it is shown the door', () => impostor.closed);
}

describe.skipIf(noMosquitto)("a hostile program in the gateway's place (needs mosquitto)", () => {
  it('starts nothing, learns nothing that is worth anything, and cannot make the robot fall', async () => {
    const broker = await Mosquitto.start();
    const rig = await Rig.start({ broker });
    const { robot } = rig;
    const { simulator } = robot;
    // Whoever listens on the broker knows what the operator said.
    const listener = await rig.listener();
    const operator = await rig.operator();
    await robot.arm();
    await robot.control.disarm();
    await robot.lift();
    await operator.command({ name: 'mode', mode: STAND }, robot.operator);
    await operator.disarm();
    const recorded = await until('the command was overheard', () => {
      const commands = listener.heard.filter(({ on, payload }) => on === 'command' && payload.includes('envelope'));
      return commands.length > 0 && commands.map(({ payload }): unknown => JSON.parse(payload.toString()).envelope);
    });
    await robot.lift();
    await robot.truth('idle', ({ state }) => state === 'idle');
    await rig.gateway?.kill();
    const before = await robot.control.status();

    await triesToStart(robot.controlSocket, recorded);
    await simulator.wait(0.2);
    expect((await robot.control.status()).state).toBe('disarmed');
    expect((await simulator.truth()).state).toBe('idle');

    // Nobody is shut out by what it did; and a robot that stands goes on to stand.
    await robot.stand();
    await simulator.request('mark', { name: 'hostile' });
    await triesToStart(robot.controlSocket, recorded);
    const deaf = new Impostor(robot.controlSocket);
    await deaf.ask({ request: 'subscribe', rows: true, events: true });
    // Never read again: rows and events must not pile up in control.
    deaf.socket.pause();
    for (let count = 0; count < 1000; count++) deaf.send({ request: 'status' });
    await simulator.wait(2);
    expect(await robot.control.status()).toMatchObject({ state: 'running', reasons: [] });

    // It knows no session, so its heartbeats keep nobody moving.
    await robot.control.command({ name: 'mode', mode: MOVE, session: 'between operator and robot' }, robot.operator);
    const guesser = new Impostor(robot.controlSocket);
    const guessing = setInterval(() => {
      for (const session of ['guess', '', STAND.task]) guesser.send({ request: 'heartbeat', session, counter: 1e9 });
    }, 5);
    onTestFinished(() => clearInterval(guessing));
    await robot.status('it holds', (status) => reasonsOf(status).includes('heartbeat-lost'));
    clearInterval(guessing);

    const after = await robot.control.status();
    expect(after.pid).toBe(before.pid);
    expect(after.counters.answered).toBe(after.counters.frames);
    expect(after.counters).toMatchObject({
      'frames.lost': 0,
      'link.losses': 0,
      superseded: before.counters.superseded,
      'rows.lost': 0,
    });
    expect(await simulator.measure('hostile')).toMatchObject({ falls: 0 });

    // The real one comes back, and has what was not thrown away in its name.
    deaf.socket.destroy();
    guesser.socket.destroy();
    rig.startGateway();
    await rig.recording();
    const { counters, report } = await rig.readBack();
    expect(report).toMatchObject({ duplicates: 0, corrupt: 0, ok: true });
    expect(report.rows).toBeLessThan(counters['rows.made'] ?? 0);
  });
});
