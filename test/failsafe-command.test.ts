import { describe, expect, it } from 'vitest';
import { CONDITION_IDS, FAILSAFE_TABLE } from '../src/safety/failsafe-table.ts';
import { h2oEdge, lastLine, temporaryFolder } from './harness.ts';

const failsafe = (...words: string[]) => h2oEdge(['failsafe', ...words], temporaryFolder());

describe('h2o-edge failsafe', () => {
  it('lists every condition with the numbers of the robot, without a configuration', async () => {
    const said = lastLine(await failsafe('--json')) as { robot: string; conditions: Array<Record<string, unknown>> };
    expect(said.robot).toBe('wheel-legged');
    expect(said.conditions.map(({ id }) => id)).toEqual(CONDITION_IDS);
    for (const row of said.conditions) {
      for (const key of ['says', 'remedy', 'action', 'clears', 'threshold', 'source'])
        expect(row[key]).toEqual(expect.any(String));
    }
    expect(said.conditions.find(({ id }) => id === 'wheel-overspeed')?.threshold).toContain('50 rad/s');
    const text = (await failsafe()).stdout;
    for (const { id } of FAILSAFE_TABLE) expect(text).toContain(id);
  });

  it('explains one: what it means, what the robot does, when it is over, what to do', async () => {
    const { code, stdout } = await failsafe('--explain', 'fall-predicted');
    expect(code).toBe(0);
    for (const word of ['holds when', 'limp: wheels are off', 'clears       disarm', 'remedy', 'source'])
      expect(stdout).toContain(word);
    expect(lastLine(await failsafe('--explain', 'tilt', '--json'))).toMatchObject({
      id: 'tilt',
      action: 'limp',
      clears: 'disarm',
    });
  });

  it('names what somebody may have meant by a name that it does not know', async () => {
    const misspelt = await failsafe('--explain', 'fall-predictet');
    expect(misspelt.code).toBe(1);
    expect(misspelt.stderr).toContain('there is no condition "fall-predictet"');
    expect(misspelt.stderr).toContain('fall-predicted?');
    expect((await failsafe('--explain', 'battery')).stderr).toMatch(/battery-low.*battery-empty.*battery-collapse/);
    expect((await failsafe('--when', 'tilt,nonsense')).stderr).toContain('`h2o-edge failsafe` lists them all');
    expect((await failsafe('--when', ' , ')).stderr).toContain('names no condition');
    expect((await failsafe('--when', 'tilt', '--frames', '0')).code).toBe(1);
  });

  it('says frame by frame what the robot would do, until it is at rest', async () => {
    const said = lastLine(await failsafe('--when', 'battery-low,sensor-gap', '--json'));
    expect(said).toMatchObject({ mode: { task: 'standing-still', controller: 'balancer' }, frames: null });
    const steps = said.steps as Array<{ frame: number; state: string; command: string }>;
    expect(steps.map(({ state, command }) => `${state} ${command}`)).toEqual([
      'braking braking',
      'braking braking',
      'limp limp',
    ]);
    expect(steps.map(({ frame }) => frame)).toEqual([1, 100, 201]);
    const words = await failsafe('--when', 'policy-late', '--mode', 'moving-straight', '--controller', 'some-policy');
    expect(words.stdout).toContain('running, controller: balancer, at zero velocity');
    expect(words.stdout).toContain('it stays running');
  });
});
