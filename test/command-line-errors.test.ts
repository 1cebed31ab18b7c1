import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Finished, h2oEdge, TestRobot, temporaryFolder } from './harness.ts';

const NAME = 'h2o-edge.yaml';

/** What every mistake of a user looks like: the code in brackets, a remedy, no stack trace, nothing on stdout. */
function expectComplaint({ code, stdout, stderr }: Finished, bracketed: string): void {
  expect(code).toBe(1);
  expect(stderr).toContain(`[${bracketed}]`);
  expect(stderr).toMatch(/→ \S/);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(stdout).toBe('');
}

describe("a user's mistake on the command line", () => {
  it('a folder without a configuration', async () => {
    const folder = temporaryFolder();
    for (const words of [['status'], ['run'], ['control'], ['mode', 'standing-still'], ['reset'], ['estop']]) {
      const finished = await h2oEdge(words, folder);
      expectComplaint(finished, 'E100 fileUnreadable');
      expect(finished.stderr).toContain(NAME);
    }
  });

  it('a demo of the loop that is too short, or is given what only the others know', async () => {
    const loop = ['demo', '--scenario', 'loop'];
    for (const words of [
      [...loop, '--minutes', '1'],
      [...loop, '--minutes', 'ten'],
      [...loop, '--pace', 'real'],
      ['demo', '--scenario', 'smoke', '--keep'],
    ]) {
      expectComplaint(await h2oEdge(words), 'E600 usage');
    }
  });

  it('a key that the configuration does not have', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, NAME), 'name: robot-1\nserial:\n  path: /dev/null\n  speed: 5\n');
    const finished = await h2oEdge(['control'], folder);
    expectComplaint(finished, 'E102 configInvalid');
    expect(finished.stderr).toContain(`${NAME}:4: serial: `);
    expect(finished.stderr).toContain('"speed"');
    expect(finished.stderr).toContain('init --print');
  });

  it('a value that a key cannot have', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, NAME), 'name: robot-1\nserial:\n  path: /dev/null\n  baudRate: fast\n');
    const finished = await h2oEdge(['control'], folder);
    expectComplaint(finished, 'E102 configInvalid');
    expect(finished.stderr).toContain(`${NAME}:4: serial.baudRate: `);
  });

  it('a task that there is not', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, NAME), 'name: robot-1\n');
    const finished = await h2oEdge(['mode', 'dancing'], folder);
    expectComplaint(finished, 'E600 usage');
    expect(finished.stderr).toContain('standing-still');
  });

  it('no operator key', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, NAME), 'name: robot-1\n');
    for (const words of [['reset'], ['mode', 'standing-still']]) {
      expectComplaint(await h2oEdge(words, folder), 'E303 keyInvalid');
    }
  });

  it('no control that runs', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, NAME), 'name: robot-1\n');
    for (const words of [['status'], ['estop'], ['mode', 'disarmed']]) {
      expectComplaint(await h2oEdge(words, folder), 'E400 notRunning');
    }
  });

  it('a port that is not there is no mistake: control waits for it', async () => {
    const robot = await TestRobot.withoutControl();
    await robot.simulator.request('unplug');
    const waiting = robot.startControl();
    await robot.connect();
    const { link } = await robot.control.status();
    expect(link.open).toBe(false);
    await robot.simulator.request('replug');
    await waiting;
  });

  it('a controller that there is not', async () => {
    const robot = await TestRobot.start();
    const finished = await robot.order('mode', 'standing-still', '--controller', 'unheard-of');
    expectComplaint(finished, 'E401 requestRefused');
    expect(finished.stderr).toContain('unheard-of');
  });

  it('a control that runs already', async () => {
    const robot = await TestRobot.start();
    expectComplaint(await robot.order('control'), 'E201 portUnavailable');
    expect((await robot.control.status()).state).toBe('disarmed');
  });

  it('a command that there is not', async () => {
    const { code, stderr } = await h2oEdge(['dance'], temporaryFolder());
    expect(code).toBe(1);
    expect(stderr).toContain("unknown command 'dance'");
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('a robot file that cannot be read', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'robots'));
    writeFileSync(join(folder, NAME), 'robot: ./robots/none.yaml\n');
    expectComplaint(await h2oEdge(['control'], folder), 'E100 fileUnreadable');
    rmSync(join(folder, 'robots'), { recursive: true });
  });
});
