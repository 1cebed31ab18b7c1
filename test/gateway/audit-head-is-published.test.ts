import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lastLine } from '../harness.ts';
import { Mosquitto, noMosquitto } from './mosquitto.ts';
import { Rig } from './rig.ts';

describe.skipIf(noMosquitto)('the head of the audit log (needs mosquitto)', () => {
  it('is in the retained state, so that somebody else can tell that the log was cut', async () => {
    const broker = await Mosquitto.start();
    const rig = await Rig.start({ broker });
    const { robot } = rig;
    await robot.control.estop('anna');
    const path = join(robot.folder, 'state', 'audit.jsonl');
    const stopped = await robot.status('the stop is in the log', () =>
      readFileSync(path, 'utf8').includes('confirmed'),
    );
    expect(stopped.state).toBe('estopped');
    const least = readFileSync(path, 'utf8').trimEnd().split('\n').length - 1;
    const listener = await rig.listener();
    const state = await listener.state('a head that has the stop in it', (now) => {
      return now.online && (now.audit.head?.index ?? -1) >= least;
    });
    if (!state.online || !state.audit.head) throw new Error('no head');
    const head = `${state.audit.head.index}:${state.audit.head.hash}`;
    await rig.gateway?.kill();
    await robot.killControl();
    expect(lastLine(await robot.order('audit', 'verify', '--json', '--head', head))).toMatchObject({ ok: true });
    const lines = readFileSync(path, 'utf8').split('\n');
    writeFileSync(path, `${lines.slice(0, 2).join('\n')}\n`);
    expect(lastLine(await robot.order('audit', 'verify', '--json'))).toMatchObject({ ok: true });
    expect(lastLine(await robot.order('audit', 'verify', '--json', '--head', head))).toMatchObject({
      ok: false,
      problem: { damage: 'truncated' },
    });
  });
});
