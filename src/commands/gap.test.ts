import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { registerGap } from './gap.ts';

const directory = mkdtempSync(join(tmpdir(), 'gap-command-'));
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

/** What the command prints. */
async function gap(...words: string[]): Promise<string> {
  const program = new Command().exitOverride();
  registerGap(program);
  let printed = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += text;
    return true;
  });
  await program.parseAsync(['gap', ...words], { from: 'user' }).finally(() => write.mockRestore());
  return printed;
}

const file = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, `description: a test\nsource: assumed\n${text}\n`);
  return path;
};

describe('h2o-edge gap', () => {
  it('lists what ships', async () => {
    const { gaps } = JSON.parse(await gap('list', '--json'));
    const names = gaps.map(({ name }: { name: string }) => name);
    expect(names).toContain('twin-d');
    expect(names).toContain('randomised');
    expect(await gap('list')).toMatch(/^gravity-2x +Gravity is twice as strong\.$/m);
  });

  it('shows what gaps change, together', async () => {
    const double = file('double.yaml', 'gravityScale: 1.5\npitchBias: 0.02');
    expect(JSON.parse(await gap('show', 'gravity-2x', double, '--json'))).toMatchObject({
      randomised: false,
      composed: { gravityScale: 3, pitchBias: 0.02 },
    });
    expect(await gap('show', 'gravity-2x', double)).toMatch(
      /all together\n {2}gravityScale +3\n {2}pitchBias +0.02\n$/,
    );
    expect(await gap('show', 'randomised')).toMatch(/massScale +0\.8 … 1\.2, drawn anew each episode/);
    expect(JSON.parse(await gap('show', 'randomised', '--json'))).toMatchObject({ randomised: true });
  });

  it('checks files, and names the line of a mistake', async () => {
    const good = file('good.yaml', 'slope: { min: 0, max: 0.1 }');
    expect(await gap('check', good)).toBe(`${good}: good, drawn anew each episode: slope\n`);
    expect(JSON.parse(await gap('check', good, '--json'))).toEqual({
      ok: true,
      gaps: [{ path: good, ranges: ['slope'] }],
    });
    await expect(gap('check', good, file('bad.yaml', 'slope: 0\nmass: 2'))).rejects.toMatchObject({
      codeName: 'gapInvalid',
      message: expect.stringMatching(/bad\.yaml:4: /),
    });
    await expect(gap('check', join(directory, 'none.yaml'))).rejects.toMatchObject({ codeName: 'fileUnreadable' });
  });
});
