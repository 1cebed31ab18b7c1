import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { h2oEdge, lastLine, TestRobot } from '../harness.ts';

const verdicts = (said: Record<string, unknown>) =>
  Object.fromEntries((said.findings as Array<{ id: string; verdict: string }>).map(({ id, verdict }) => [id, verdict]));

it('doctor looks at a robot that runs, and finds what was broken on purpose with the line that mends it', async () => {
  const robot = await TestRobot.start();
  await robot.simulator.wait(2);
  const well = lastLine(await robot.order('doctor', '--json'));
  expect(well.running).toBe(true);
  expect(verdicts(well)).toMatchObject({
    versions: 'pass',
    'serial-device': 'pass',
    'serial-permission': 'pass',
    'running-version': 'pass',
    'mcu-session': 'pass',
    'disk-space': 'pass',
    broker: 'pass',
    keys: 'pass',
  });

  const dead = {
    name: 'test-robot',
    serial: { path: '/dev/null-and-void' },
    trust: 'nobody.yaml',
    runtimeDirectory: 'elsewhere',
    // Nobody listens on port 9.
    broker: { url: 'mqtt://127.0.0.1:9' },
    http: { port: 0 },
  };
  writeFileSync(join(robot.folder, 'broken.yaml'), JSON.stringify(dead));
  robot.control.close();
  const said = await h2oEdge(['doctor', '--json', '--config', 'broken.yaml'], robot.folder);
  expect(said.code).toBe(1);
  const { findings } = lastLine(said) as { findings: Array<{ id: string; verdict: string; remedy: string }> };
  expect(verdicts(lastLine(said))).toMatchObject({ 'serial-device': 'fail', keys: 'fail', broker: 'fail' });
  for (const { verdict, remedy } of findings) expect(remedy === '').toBe(verdict === 'pass');
});
