import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { TestGateway } from '../gateway/rig.ts';
import {
  CLI,
  endProcess,
  environmentOf,
  familyOf,
  SHIPPED_POLICIES,
  STAND_BY_POLICY,
  TestRobot,
  temporaryFolder,
  until,
} from '../harness.ts';

const missing = spawnSync('strace', ['--version']).status !== 0;

/** Addresses that were connected to or sent to, but for those of this computer. */
function outside(trace: string): string[] {
  const addresses = [
    ...trace.matchAll(/sin6?_addr(?:=inet_addr\(|=inet_pton\(AF_INET6, |, )"([^"]+)"|inet_pton\(AF_INET6, "([^"]+)"/g),
  ];
  const named = addresses.map(([, four, six]) => four ?? six ?? '');
  return named.filter((address) => !/^127\.|^::1$|^::ffff:127\./.test(address));
}

it('the reader of traces knows an address from outside', () => {
  const four = 'connect(21, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("20.42.65.90")}, 16)';
  const six = 'connect(21, {sa_family=AF_INET6, sin6_port=htons(53), inet_pton(AF_INET6, "2603::1", &sin6_addr)}, 28)';
  const own = 'connect(2, {sa_family=AF_INET, sin_port=htons(1883), sin_addr=inet_addr("127.0.0.1")}, 16)';
  expect(outside(`${four}\n${own}\n${six}\n`)).toEqual(['20.42.65.90', '2603::1']);
});

it.skipIf(missing)(
  'neither control nor gateway tries to reach anything outside, with policies loaded and run (strace)',
  async () => {
    const trace = join(temporaryFolder(), 'trace');
    const strace = ['strace', '-f', '--seccomp-bpf', '-qq', '-o', trace, '-e', 'trace=connect,sendto,sendmsg,sendmmsg'];
    const robot = await TestRobot.withoutControl({ config: { policies: [SHIPPED_POLICIES] } });
    // Before control: only so are all of its connections seen.
    const gateway = new TestGateway(robot.configPath, [...strace.slice(0, 5), `${trace}-gateway`, ...strace.slice(6)]);
    const control = spawn(
      strace[0] ?? '',
      [...strace.slice(1), process.execPath, CLI, 'control', '--config', robot.configPath],
      {
        stdio: 'ignore',
        env: environmentOf(),
      },
    );
    onTestFinished(() => endProcess(control));
    const ended = once(control, 'exit');
    await robot.connect();
    await robot.stand(STAND_BY_POLICY);
    await until(
      'rows are on disk',
      async () => ((await robot.control.status()).counters['rows.acknowledged'] ?? 0) > 0,
    );
    await robot.killControl();
    await ended;
    // strace passes no signal on.
    for (const { pid } of familyOf(gateway.process.pid ?? 0))
      if (pid !== gateway.process.pid) process.kill(pid, 'SIGTERM');
    await until('the gateway has ended', () => gateway.ended);
    for (const file of [trace, `${trace}-gateway`]) {
      const text = readFileSync(file, 'utf8');
      // It was traced: the gateway at least connects to control.
      expect(text).toMatch(/exited|killed|connect/);
      expect(outside(text)).toEqual([]);
    }
  },
);
