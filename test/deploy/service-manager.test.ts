import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ServiceManager } from '../../src/service-manager.ts';
import { temporaryFolder, until } from '../harness.ts';
import { notifySocket } from './service-manager.testing.ts';

const isGone = (pid: number) => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

it.each([
  ['a path', () => join(temporaryFolder(), 'notify')],
  ['an abstract name', () => `@h2o-edge-test-${process.pid}`],
])('tells the service manager at %s, a datagram a message, through one helper that ends with it', async (_, name) => {
  const problems: string[] = [];
  const receiver = await notifySocket(name());
  const manager = new ServiceManager({
    environment: { PATH: process.env.PATH, NOTIFY_SOCKET: receiver.path, WATCHDOG_USEC: '2000000', WATCHDOG_PID: '77' },
    pid: 77,
    onProblem: (problem) => problems.push(problem),
  });
  expect(manager.watchdog).toBe(2000);
  manager.start();
  const { helper = 0 } = manager;
  // Two in one turn stay two; what would break the framing does not.
  manager.tell('READY=1', 'STATUS=a\tb\nc');
  manager.tell('WATCHDOG=1');
  await until('both were heard', () => receiver.heard.length === 2);
  expect(receiver.heard).toEqual([['READY=1', 'STATUS=a b c'], ['WATCHDOG=1']]);
  expect(manager.helper).toBe(helper);

  manager.tell('STOPPING=1');
  manager.stop();
  await until('the helper has ended', () => isGone(helper));
  expect(receiver.heard.at(-1)).toEqual(['STOPPING=1']);
  expect(problems).toEqual([]);
});

it('does without a helper where nobody wants to hear anything, and says when it cannot be had', async () => {
  const problems: string[] = [];
  const onProblem = (problem: string) => problems.push(problem);
  const alone = new ServiceManager({ environment: { WATCHDOG_USEC: '2000000' }, pid: 1, onProblem });
  alone.start();
  expect([alone.helper, alone.watchdog, alone.tell('READY=1')]).toEqual([undefined, undefined, false]);

  const environment = { NOTIFY_SOCKET: '/nowhere', WATCHDOG_USEC: '2000000', WATCHDOG_PID: '2' };
  const other = new ServiceManager({ environment: { ...environment, PATH: '/nowhere' }, pid: 1, onProblem });
  // The watchdog is for another process, such as a supervisor between.
  expect(other.watchdog).toBeUndefined();
  other.start();
  await until('the problem was told', () => problems.length === 1);
  expect(problems[0]).toMatch(/ENOENT/);
  expect(other.tell('READY=1')).toBe(false);
  expect(other.counters).toEqual({ told: 0, leftOut: 1, helpersLost: 1 });
});

it('starts a helper that died again when it is asked to, and not by itself', async () => {
  const receiver = await notifySocket(join(temporaryFolder(), 'notify'));
  const problems: string[] = [];
  const manager = new ServiceManager({
    environment: { PATH: process.env.PATH, NOTIFY_SOCKET: receiver.path },
    pid: 1,
    onProblem: (problem) => problems.push(problem),
  });
  manager.start();
  process.kill(manager.helper ?? 0, 'SIGKILL');
  await until('it is missed', () => problems.length === 1);
  expect(manager.tell('WATCHDOG=1')).toBe(false);
  expect(manager.helper).toBeUndefined();
  manager.start();
  expect(manager.tell('WATCHDOG=1')).toBe(true);
  await until('it was heard', () => receiver.heard.length === 1);
  manager.stop();
});
