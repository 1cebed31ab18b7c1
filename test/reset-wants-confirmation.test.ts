import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonForSocket } from '../src/messages/socket-frame.ts';
import { lastLine, RawConnection, refusalOf, TestRobot, until } from './harness.ts';

const remoteReset = (robot: TestRobot) => robot.control.command({ name: 'reset' }, robot.operator);

async function stoppedRobot(config = {}): Promise<TestRobot> {
  const robot = await TestRobot.start({ config });
  await robot.stand();
  await robot.control.estop('test');
  return robot;
}

/** Another user, of the group that control's socket is for. */
const AS_ANOTHER = ['--reuid', '65534', '--regid', String(process.getgid?.()), '--clear-groups', '--'];
const canBeAnother = spawnSync('setpriv', [...AS_ANOTHER, process.execPath, '-e', '']).status === 0;

const TRY_TO_CONNECT = `
  const { connect } = require('node:net');
  const attempt = (path) => new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => { socket.destroy(); resolve('connected'); });
    socket.once('error', (error) => resolve(error.code));
  });
  (async () => { for (const path of process.argv.slice(1)) console.log(await attempt(path)); })();
`;

const ownFolder = (robot: TestRobot) => join(robot.folder, 'run', 'own');

describe('a reset after an emergency stop', () => {
  it('that is only signed is refused, with what to do', async () => {
    const robot = await stoppedRobot();
    expect(await refusalOf(remoteReset(robot))).toMatch(/confirmation-wanted/);
    expect(await robot.control.status()).toMatchObject({ state: 'estopped', estop: { confirmation: 'wanted' } });
    const said = await robot.order('status');
    expect(said.stdout).toMatch(/a reset wants confirming on the robot/);
  });

  it('is done on the robot itself by one command', async () => {
    const robot = await stoppedRobot();
    const finished = await robot.order('reset', '--json');
    expect(finished.stderr).toBe('');
    expect(lastLine(finished)).toEqual({ ok: true });
    expect((await robot.control.status()).state).toBe('disarmed');
    await robot.lift();
    await robot.stand();
  });

  it('is done from elsewhere once somebody on the robot has confirmed it, and once only', async () => {
    const robot = await stoppedRobot();
    const confirmed = await robot.order('reset', '--confirm', '--json');
    expect(lastLine(confirmed)).toEqual({ ok: true, confirmed: true, source: 'test' });
    expect(await robot.control.status()).toMatchObject({ state: 'estopped', estop: { confirmation: 'given' } });
    await remoteReset(robot);
    expect((await robot.control.status()).state).toBe('disarmed');
    await robot.control.estop('again');
    expect(await refusalOf(remoteReset(robot))).toMatch(/confirmation-wanted/);
  });

  it('that was confirmed is refused after another stop, also of a robot that was stopped already', async () => {
    const robot = await stoppedRobot();
    await robot.confirmReset();
    await robot.control.estop('somebody who saw something');
    expect(await refusalOf(remoteReset(robot))).toMatch(/confirmation-wanted/);
    await robot.confirmReset();
    process.kill(await robot.controlPid(), 'SIGUSR2');
    await robot.status('the signal voids it', ({ estop }) => estop.confirmation === 'wanted');
    await robot.reset();
  });

  it('is not confirmed by what a restart has forgotten', async () => {
    const robot = await stoppedRobot();
    await robot.confirmReset();
    await robot.killControl();
    await robot.startControl();
    expect(await refusalOf(remoteReset(robot))).toMatch(/confirmation-wanted/);
    await robot.reset();
  });

  it('wants a signature alone where that is configured', async () => {
    const robot = await stoppedRobot({ resetConfirmation: 'none' });
    await remoteReset(robot);
    expect((await robot.control.status()).state).toBe('disarmed');
  });

  it('whose key is missing confirms nothing', async () => {
    const robot = await stoppedRobot();
    const finished = await robot.order('reset', '--key', join(robot.folder, 'nothing.pem'));
    expect(finished.code).not.toBe(0);
    expect((await robot.control.status()).estop.confirmation).toBe('wanted');
  });
});

describe('the confirmation', () => {
  it("cannot be given on control's ordinary socket, which the gateway has", async () => {
    const robot = await stoppedRobot();
    const raw = await RawConnection.to(robot);
    for (const request of [{ confirm: 1 }, { request: 'confirm', stop: 1 }, { request: 'confirm-reset' }]) {
      expect(await raw.ask(request)).toMatchObject({ ok: false, refusal: { code: 'malformed-request' } });
    }
    expect(await refusalOf(remoteReset(robot))).toMatch(/confirmation-wanted/);
  });

  it("lies behind a folder that nobody but control's own user may enter", async () => {
    const robot = await stoppedRobot();
    expect(statSync(ownFolder(robot)).mode & 0o777).toBe(0o700);
    expect(statSync(join(ownFolder(robot), 'confirm.sock')).mode & 0o777).toBe(0o600);
  });

  it.skipIf(!canBeAnother)('is out of reach of a gateway that runs as another user (needs root)', async () => {
    const robot = await stoppedRobot();
    // The folder of the test is no part of what keeps it out.
    chmodSync(robot.folder, 0o755);
    const tried = spawnSync(
      'setpriv',
      [
        ...AS_ANOTHER,
        process.execPath,
        '-e',
        TRY_TO_CONNECT,
        robot.controlSocket,
        join(ownFolder(robot), 'confirm.sock'),
      ],
      { encoding: 'utf8' },
    );
    expect(tried.stdout.trim().split('\n')).toEqual(['connected', 'EACCES']);
  });

  it('does not use a folder that somebody else has put there; the robot stays stopped and says why', async () => {
    const robot = await TestRobot.withoutControl();
    mkdirSync(join(robot.folder, 'run'));
    mkdirSync(join(robot.folder, 'theirs'));
    symlinkSync(join(robot.folder, 'theirs'), ownFolder(robot));
    await robot.startControl();
    expect(existsSync(join(robot.folder, 'theirs', 'confirm.sock'))).toBe(false);
    await until('control says so', () => robot.log.includes('no reset can be confirmed'));
    await robot.control.estop('test');
    const finished = await robot.order('reset');
    expect(finished.code).not.toBe(0);
    expect(finished.stderr).toMatch(/cannot be confirmed/);
    expect((await robot.control.status()).state).toBe('estopped');
    rmSync(ownFolder(robot));
    await robot.killControl();
    await robot.startControl();
    await robot.reset();
  });

  it('is open to others only until control looks: a folder of its own that was opened is shut again', async () => {
    const robot = await TestRobot.start();
    await robot.killControl();
    chmodSync(ownFolder(robot), 0o777);
    await robot.startControl();
    expect(statSync(ownFolder(robot)).mode & 0o777).toBe(0o700);
  });

  it('is given by nothing but its own words, and garbage costs nobody anything', async () => {
    const robot = await stoppedRobot();
    const path = join(ownFolder(robot), 'confirm.sock');
    const attempts = [
      Buffer.alloc(0),
      Buffer.from('confirm'),
      Buffer.alloc(10_000, 0xff),
      jsonForSocket({ confirm: 0 }),
      jsonForSocket({ confirm: 2 }),
      jsonForSocket({ confirm: '1' }),
      jsonForSocket({ confirm: 1, also: true }),
      jsonForSocket({}),
    ];
    for (const bytes of attempts) {
      const socket = connect(path);
      socket.on('error', () => {});
      const ended = new Promise((resolve) => socket.once('close', resolve));
      socket.resume();
      socket.end(bytes);
      await ended;
    }
    // A crowd that says nothing keeps nobody out.
    const crowd = Array.from({ length: 20 }, () => connect(path).on('error', () => {}));
    expect((await robot.control.status()).estop.confirmation).toBe('wanted');
    await robot.reset();
    for (const socket of crowd) socket.destroy();
  });
});
