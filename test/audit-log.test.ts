import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AuditEntry, readLine } from '../src/audit/chain.ts';
import { generateKeyPair, keyId } from '../src/keys/key-pair.ts';
import { lastLine, RawConnection, refusalOf, STAND, TestRobot, until } from './harness.ts';

const logOf = (robot: TestRobot) => join(robot.folder, 'state', 'audit.jsonl');

const linesOf = (robot: TestRobot) =>
  existsSync(logOf(robot)) ? readFileSync(logOf(robot), 'utf8').trimEnd().split('\n') : [];

function entriesOf(robot: TestRobot): AuditEntry[] {
  return linesOf(robot).flatMap((line) => {
    const entry = readLine(line);
    return typeof entry === 'string' ? [] : [entry];
  });
}

const eventually = (robot: TestRobot, what: string, isIt: (entry: AuditEntry) => boolean) =>
  until(`${what} is in the audit log`, () => entriesOf(robot).find(isIt));

const verified = async (robot: TestRobot, ...words: string[]) =>
  lastLine(await robot.order('audit', 'verify', '--json', ...words));

/** Waits until all that control has recorded is on disk. */
async function quiet(robot: TestRobot): Promise<void> {
  let last = -1;
  await until('the audit log is quiet', async () => {
    const { audit } = await robot.control.status();
    const index = audit.head?.index ?? -1;
    const same = index === last && index === entriesOf(robot).at(-1)?.index;
    last = index;
    return same;
  });
}

describe('the audit log of a robot', () => {
  it('tells what started, stopped and was refused, who did it, and how far a stop came', async () => {
    const robot = await TestRobot.start();
    const operator = keyId(robot.operator);
    await robot.stand();
    await robot.control.estop('anna');
    expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator))).toMatch(/estop/);
    const stranger = generateKeyPair().privateKey;
    expect(await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, stranger))).toMatch(/unknown-key/);
    await robot.reset();
    await eventually(robot, 'the reset', ({ event }) => event === 'reset');
    await quiet(robot);
    const entries = entriesOf(robot);
    const index = (event: string, details: object = {}, who?: string) => {
      const found = entries.findIndex(
        (entry) =>
          entry.event === event &&
          (who === undefined || entry.who === who) &&
          Object.entries(details).every(([key, value]) => JSON.stringify(entry.details[key]) === JSON.stringify(value)),
      );
      expect(found, `${event} ${JSON.stringify(details)}`).toBeGreaterThanOrEqual(0);
      return found;
    };
    expect(entries[0]).toMatchObject({
      event: 'control-start',
      index: 0,
      details: { operators: [operator], latched: false },
    });
    index('link', { open: true });
    index('session', { state: 'accepted' });
    index('command-accepted', { command: { name: 'mode', mode: STAND } }, operator);
    index('state', { from: 'disarmed', to: 'running' });
    const stop = index('estop', { stop: 1 }, 'anna');
    expect(index('estop-stage', { stage: 'latched', onDisk: true })).toBeGreaterThan(stop);
    expect(index('estop-stage', { stage: 'confirmed' })).toBeGreaterThan(stop);
    index('command-refused', { reason: 'unknown-key' }, '');
    const refused = entries.filter(({ event, who }) => event === 'command-refused' && who === operator);
    expect(refused.some(({ details }) => String(details.reason).includes('estop'))).toBe(true);
    const confirmed = index('reset-confirmed', { stop: 1, stoppedBy: 'anna' });
    expect(index('reset')).toBeGreaterThan(confirmed);
    index('command-accepted', { command: { name: 'reset' } }, operator);

    const { audit } = await robot.control.status();
    expect(await verified(robot, '--head', `${audit.head?.index}:${audit.head?.hash}`)).toMatchObject({ ok: true });
    const shown = await robot.order('audit', 'show', '--since', '1h');
    expect(shown.stdout).toMatch(/estop {2}by anna {2}stop=1/);
    const none = lastLine(await robot.order('audit', 'show', '--since', '2100-01-01', '--json'));
    expect(none).toEqual({ entries: [] });
  });

  it('is whole after kill -9 at any time, and a torn line is repaired with an entry', async () => {
    const robot = await TestRobot.start();
    for (let round = 0; round < 3; round++) {
      await robot.control.estop(`round ${round}`);
      await robot.killControl();
      if (round === 1) appendFileSync(logOf(robot), '{"index":17,"boot":"torn');
      await robot.startControl();
      await robot.reset();
    }
    await robot.killControl();
    await robot.startControl();
    await quiet(robot);
    const report = await verified(robot);
    expect(report).toMatchObject({ ok: true, problem: null });
    // kill -9 may have torn a line itself.
    expect(Number(report.repairs)).toBeGreaterThanOrEqual(1);
    const boots = new Set(entriesOf(robot).map(({ boot }) => boot));
    expect(boots.size).toBe(5);
    const repaired = entriesOf(robot).filter(({ event }) => event === 'audit-repaired');
    expect(repaired.some(({ details }) => String(details.text).endsWith('torn'))).toBe(true);
  });

  it('whose line is edited, removed or cut off is found, by line', async () => {
    const robot = await TestRobot.start();
    await robot.control.estop('anna');
    await eventually(robot, 'the stop', ({ details }) => details.stage === 'confirmed');
    await quiet(robot);
    const { audit } = await robot.control.status();
    const head = `${audit.head?.index}:${audit.head?.hash}`;
    await robot.killControl();
    const lines = linesOf(robot);
    const at = lines.findIndex((line) => line.includes('"event":"estop"'));
    const write = (changed: readonly string[]) => writeFileSync(logOf(robot), `${changed.join('\n')}\n`);

    write(lines.with(at, (lines[at] ?? '').replace('anna', 'bert')));
    const edited = await robot.order('audit', 'verify');
    expect(edited.code).not.toBe(0);
    expect(edited.stderr).toMatch(new RegExp(`audit.jsonl, line ${at + 1}: edited`));
    write(lines.toSpliced(at, 1));
    expect(await verified(robot)).toMatchObject({ ok: false, problem: { damage: 'removed', line: at + 1 } });
    write(lines.slice(0, at));
    expect(await verified(robot)).toMatchObject({ ok: true });
    expect(await verified(robot, '--head', head)).toMatchObject({ ok: false, problem: { damage: 'truncated' } });
    write(lines);
    expect(await verified(robot, '--head', head)).toMatchObject({ ok: true });
    const misspelt = await robot.order('audit', 'verify', '--head', '12:abc');
    expect(misspelt.stderr).toMatch(/is no head of an audit log/);
  });

  it('does not grow with a flood of refused commands, and says how many there were', async () => {
    const robot = await TestRobot.start();
    const connections = await Promise.all(Array.from({ length: 4 }, () => RawConnection.to(robot)));
    for (let count = 0; count < 2000; count++) {
      await connections[count % 4]?.ask({ request: 'command', envelope: { nothing: count } });
    }
    await robot.control.estop('first');
    for (let count = 0; count < 500; count++) await robot.control.estop('again and again', () => {}, 1);
    await quiet(robot);
    expect(linesOf(robot).length).toBeLessThan(60);
    const pid = await robot.controlPid();
    process.kill(pid, 'SIGTERM');
    await eventually(robot, 'the end of control', ({ event }) => event === 'control-stop');
    const told = entriesOf(robot).filter(({ event }) => event === 'command-refused');
    const counted = told.reduce(
      (sum, { details }) => sum + (typeof details.repeats === 'number' ? details.repeats : 1),
      0,
    );
    expect(counted).toBe(2000);
    expect(await verified(robot)).toMatchObject({ ok: true });
  });
});

describe('a state directory that takes nothing', () => {
  it('refuses arming, stops all the same, and is used again when it is mended', async () => {
    const robot = await TestRobot.start();
    await robot.stand();
    await robot.control.disarm();
    await robot.lift();
    await quiet(robot);
    const state = join(robot.folder, 'state');
    // The tests run as root, whom no mode keeps out: a file in the folder's place does.
    renameSync(state, `${state}.away`);
    writeFileSync(state, '');
    // Something to write: a refusal.
    const raw = await RawConnection.to(robot);
    await raw.ask({ request: 'command', envelope: {} });
    const troubled = await robot.status('the trouble is seen', ({ audit }) => audit.problem !== '');
    expect(troubled.audit.problem).toMatch(/ENOTDIR|EEXIST/);
    await until('arming is refused', async () => {
      const refusal = await refusalOf(robot.control.command({ name: 'mode', mode: STAND }, robot.operator));
      return refusal.includes('estop-not-persisted');
    });
    expect((await robot.order('status')).stdout).toMatch(/warn: the audit log is not on disk/);
    await robot.control.estop('anna');
    await robot.truth('torque off', ({ state: now }) => now === 'estopped');
    expect((await robot.control.status()).estop).toMatchObject({ latched: true, onDisk: false });

    // In one go: control tries again and again, and would make a folder of its own.
    await until('the folder is back', () => {
      rmSync(state, { recursive: true, force: true });
      try {
        renameSync(`${state}.away`, state);
        return true;
      } catch {
        return false;
      }
    });
    // The stop gets to the disk although it was asked for when there was none.
    await robot.status('mended', ({ audit, estop }) => audit.problem === '' && estop.onDisk);
    await robot.killControl();
    await robot.startControl();
    expect((await robot.control.status()).estop).toMatchObject({ latched: true, source: 'anna' });
    await quiet(robot);
    expect(await verified(robot)).toMatchObject({ ok: true });
  });
});

describe('the command line', () => {
  it('says where it looked when there is no log, and reads one elsewhere', async () => {
    const robot = await TestRobot.withoutControl();
    const missing = await robot.order('audit', 'verify');
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toMatch(/cannot read the audit log in .*state/);
    const elsewhere = join(robot.folder, 'elsewhere');
    mkdirSync(elsewhere);
    chmodSync(elsewhere, 0o755);
    expect(await verified(robot, '--directory', elsewhere)).toMatchObject({ ok: true, entries: 0 });
    expect((await robot.order('audit', 'show', '--since', 'yesterday')).stderr).toMatch(/is no time/);
  });
});
