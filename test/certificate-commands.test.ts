import { chmodSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Finished, h2oEdge, lastLine, temporaryFolder } from './harness.ts';

const modeOf = (path: string) => statSync(path).mode & 0o777;

function complaint({ code, stdout, stderr }: Finished): string {
  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).not.toMatch(/^ {4}at /m);
  return stderr;
}

it('h2o-edge keys makes certificates, shows them, and never writes over a private key', async () => {
  const folder = temporaryFolder();
  const keys = (...words: string[]) => h2oEdge(['keys', ...words], folder);
  const at = (name: string) => join(folder, 'tls', name);
  expect(complaint(await keys('issue', 'robot', 'r1'))).toMatch(/cannot read the certificate tls\/ca\.pem/);

  const made = await keys('authority', '--name', 'my house', '--json');
  expect(lastLine(made)).toMatchObject({
    ok: true,
    file: 'tls/ca.pem',
    key: 'tls/ca.key.pem',
    name: 'my house',
    role: 'authority',
  });
  const words = ['issue', 'broker', 'b', '--host', 'broker.local', '--host', '10.0.0.1'];
  expect(lastLine(await keys(...words, '--json'))).toMatchObject({
    role: 'broker',
    hosts: ['broker.local', '10.0.0.1'],
    daysLeft: 824,
  });
  const robot = await keys('issue', 'robot', 'r1', '--days', '40');
  expect(robot).toMatchObject({ code: 0, stderr: '' });
  expect(robot.stdout).toMatch(/tls\/r1\.pem: robot r1, valid until \d{4}-\d\d-\d\d \(39 days\)/);
  expect(modeOf(join(folder, 'tls'))).toBe(0o700);
  for (const name of ['ca', 'b', 'r1'])
    expect([modeOf(at(`${name}.key.pem`)), modeOf(at(`${name}.pem`))], name).toEqual([0o600, 0o644]);

  // Nothing is lost, whatever is typed again.
  const before = readdirSync(join(folder, 'tls')).map((name) => readFileSync(at(name), 'utf8'));
  for (const again of [['authority'], ['issue', 'robot', 'r1'], ['issue', 'operator', 'r1'], words]) {
    expect(complaint(await keys(...again)), again.join(' ')).toMatch(
      /is there already.*keys renew.*certificateInvalid/s,
    );
  }
  expect(complaint(await keys('issue', 'robot', 'operator'))).toMatch(/no name of a robot.*usage/s);
  expect(complaint(await keys('issue', 'broker', 'c'))).toMatch(/--host broker\.local.*usage/s);
  expect(readdirSync(join(folder, 'tls')).map((name) => readFileSync(at(name), 'utf8'))).toEqual(before);

  expect((await keys('inspect')).code).toBe(0);
  const soon = await keys('inspect', '--days', '60', '--json');
  expect(soon.code).toBe(1);
  expect(soon.stderr).toMatch(/tls\/r1\.pem expires in 39 days.*keys renew tls\/r1\.pem/s);
  expect(lastLine(soon)).toMatchObject({
    ok: false,
    certificates: [{ name: 'b' }, { name: 'my house' }, { name: 'r1', daysLeft: 39 }],
  });

  const key = readFileSync(at('r1.key.pem'), 'utf8');
  expect(lastLine(await keys('renew', 'tls/r1.pem', '--json'))).toMatchObject({
    ok: true,
    certificates: [{ name: 'r1', daysLeft: 824 }],
  });
  expect(readFileSync(at('r1.key.pem'), 'utf8')).toBe(key);
  expect((await keys('inspect', '--days', '60')).code).toBe(0);

  // The one before the renewal too: it has the same key.
  expect(lastLine(await keys('revoke', 'tls/r1.pem', '--json'))).toMatchObject({
    ok: true,
    file: 'tls/crl.pem',
    revoked: [
      { name: 'r1', daysLeft: 824 },
      { name: 'r1', daysLeft: 39 },
    ],
  });
  // What would let everybody sign is not to be read by everybody.
  chmodSync(at('ca.key.pem'), 0o644);
  expect(complaint(await keys('issue', 'robot', 'r2'))).toMatch(/ca\.key\.pem is open to others.*chmod 600/s);
  expect(readdirSync(join(folder, 'tls'))).not.toContain('r2.key.pem');
});
