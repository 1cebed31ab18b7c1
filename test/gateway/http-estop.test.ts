import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { refusalOf, STAND, type TestRobot, until } from '../harness.ts';
import { Rig, TestGateway } from './rig.ts';

/** One that nobody has, a moment ago at least. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function rigWithHttp(config = {}) {
  const port = await freePort();
  const rig = await Rig.start({ config: { http: { address: '127.0.0.1', port }, ...config } });
  const url = `http://127.0.0.1:${port}`;
  await until('the gateway serves HTTP', async () => {
    return await fetch(url).then(
      () => true,
      () => undefined,
    );
  });
  return { rig, robot: rig.robot, port, url };
}

const stoppedFor = async (robot: TestRobot) => {
  await robot.truth('torque off', ({ state }) => state === 'estopped');
  expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(/estop/);
};

describe('POST /estop', () => {
  it('stops the robot and answers in stages, also when there is no broker; the stop survives kill -9', async () => {
    // Nobody listens there: the gateway's MQTT is dead.
    const broker = { url: `mqtt://127.0.0.1:${await freePort()}`, username: '', passwordFile: '', caFile: '' };
    const { robot, url } = await rigWithHttp({ broker });
    await robot.stand();
    const response = await fetch(`${url}/estop`, { method: 'POST' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(await response.json()).toEqual({
      robot: 'test-robot',
      received: true,
      receivedMs: expect.any(Number),
      latched: true,
      onDisk: true,
      latchedMs: expect.any(Number),
      confirmed: true,
      confirmedMs: expect.any(Number),
      ok: true,
    });
    await stoppedFor(robot);
    expect((await robot.control.status()).estop).toMatchObject({
      latched: true,
      source: 'HTTP 127.0.0.1',
      onDisk: true,
    });
    await robot.killControl();
    await robot.startControl();
    expect((await robot.control.status()).state).toBe('estopped');
  });

  it('writes each stage as it is reached, a line each', async () => {
    const { robot, url } = await rigWithHttp();
    await robot.stand();
    const response = await fetch(`${url}/estop/?why=test`, { method: 'POST', body: 'anything at all' });
    const lines = (await response.text()).trimEnd().split('\n');
    expect(lines[0]).toMatch(/^\{"robot":"test-robot","received":true/);
    expect(lines.at(-1)).toMatch(/"ok":true\}$/);
    expect(lines).toHaveLength(4);
  });

  it('stops as soon as its head is there, whatever its body is, typed by hand or sent by a page', async () => {
    const { robot, url, port } = await rigWithHttp();
    await robot.stand();
    // Without a host, with a body that never comes.
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.write('POST /estop HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\nx');
    await stoppedFor(robot);
    await robot.reset();
    await robot.lift();
    await robot.stand();
    const preflight = await fetch(`${url}/estop`, {
      method: 'OPTIONS',
      headers: { origin: 'https://example.org', 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-methods')).toBe('POST');
    const big = await fetch(`${url}/estop`, {
      method: 'POST',
      body: Buffer.alloc(500_000),
      headers: { origin: 'null' },
    });
    expect(await big.json()).toMatchObject({ ok: true });
    await stoppedFor(robot);
  });

  it('says that nothing is confirmed when the motor controller does not answer', async () => {
    const { robot, url } = await rigWithHttp();
    await robot.stand();
    await robot.simulator.request('unplug');
    await robot.status('the loss is noticed', ({ link }) => !link.open);
    const said = await (await fetch(`${url}/estop`, { method: 'POST' })).json();
    expect(said).toMatchObject({ received: true, latched: true, onDisk: true, confirmed: false, ok: false });
    expect(said).toMatchObject({ error: { code: 'not-confirmed', remedy: expect.stringMatching(/power/) } });
  });

  it('says so when control is not there', async () => {
    const { robot, url } = await rigWithHttp();
    await robot.killControl();
    const response = await fetch(`${url}/estop`, { method: 'POST' });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ ok: false, received: false, error: { code: 'control-silent' } });
    // And reaches the one that is there later.
    await robot.startControl();
    expect(await (await fetch(`${url}/estop`, { method: 'POST' })).json()).toMatchObject({ latched: true });
  });

  it('is answered by a stop that control got after it came, and not by one that was undone meanwhile', async () => {
    const { robot, url } = await rigWithHttp();
    await robot.stand();
    for (let round = 0; round < 3; round++) {
      expect(await (await fetch(`${url}/estop`, { method: 'POST' })).json()).toMatchObject({ ok: true });
      expect((await robot.control.status()).state).toBe('estopped');
      await robot.reset();
      expect((await robot.control.status()).state).toBe('disarmed');
    }
  });
});

describe('everything else', () => {
  it('is refused with a hint, and stops nothing', async () => {
    const { robot, url } = await rigWithHttp();
    const look = await fetch(`${url}/estop`);
    expect(look.status).toBe(405);
    expect(look.headers.get('allow')).toBe('POST, OPTIONS');
    expect(await look.json()).toMatchObject({
      ok: false,
      error: { code: 'method-not-allowed', remedy: expect.any(String) },
    });
    for (const [method, path] of [
      ['GET', '/'],
      ['POST', '/'],
      ['POST', '/reset'],
      ['POST', '/estop/more'],
      ['POST', '/estop%2f'],
      ['PUT', '/estop'],
      ['DELETE', '/estop'],
    ] as const) {
      const { status } = await fetch(`${url}${path}`, { method });
      expect([404, 405], `${method} ${path}`).toContain(status);
    }
    expect((await robot.control.status()).state).toBe('disarmed');
  });

  it('that is no HTTP costs its sender the connection and nobody anything else', async () => {
    const { robot, port, url } = await rigWithHttp();
    for (const bytes of [
      'GARBAGE\r\n\r\n',
      `POST /estop HTTP/1.1\r\n${'x: y\r\n'.repeat(10_000)}\r\n`,
      '\0'.repeat(5000),
    ]) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      const closed = once(socket, 'close');
      socket.resume();
      socket.end(bytes);
      await closed;
    }
    expect((await robot.control.status()).state).toBe('disarmed');
    expect((await fetch(`${url}/estop`, { method: 'POST' })).status).toBe(200);
  });
});

describe('a flood', () => {
  it('of stops costs control no frame, and one of connections keeps nobody from stopping', async () => {
    const { robot, url, port } = await rigWithHttp();
    await robot.stand();
    // Connections that say nothing, more than there may be.
    const idle = Array.from({ length: 150 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    onTestFinished(() => {
      for (const socket of idle) socket.destroy();
    });
    await Promise.all(idle.slice(0, 50).map((socket) => (socket.connecting ? once(socket, 'connect') : undefined)));
    expect(await (await fetch(`${url}/estop`, { method: 'POST' })).json()).toMatchObject({ ok: true });

    const flooding = spawn(process.execPath, ['-e', FLOOD, `${url}/estop`], { stdio: 'ignore' });
    onTestFinished(() => void flooding.kill('SIGKILL'));
    await robot.simulator.wait(2);
    expect(await (await fetch(`${url}/estop`, { method: 'POST' })).json()).toMatchObject({ ok: true });
    flooding.kill('SIGKILL');
    const { counters } = await robot.control.status();
    expect(counters['frames.lost']).toBe(0);
    expect(counters.answered).toBe(counters.frames);
  });
});

/** Forty at a time, for ever. */
const FLOOD = `
  const [url] = process.argv.slice(1);
  const one = () => fetch(url, { method: 'POST', body: 'x'.repeat(1000) }).then((r) => r.text()).catch(() => {}).then(one);
  for (let n = 0; n < 40; n++) one();
`;

describe('a port that another program has', () => {
  it('keeps the gateway neither from its work nor from serving later', async () => {
    const port = await freePort();
    const other = createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    const rig = await Rig.start({ gateway: false, config: { http: { address: '127.0.0.1', port } } });
    const gateway = new TestGateway(rig.robot.configPath);
    rig.gateway = gateway;
    await rig.recording();
    await until('it says so', () => gateway.log.includes('EADDRINUSE'));
    await new Promise((resolve) => other.close(resolve));
    await until('it serves', async () => {
      return await fetch(`http://127.0.0.1:${port}/estop`, { method: 'POST' }).then(
        ({ ok }) => ok,
        () => undefined,
      );
    });
    expect((await rig.robot.control.status()).state).toBe('estopped');
  });
});
