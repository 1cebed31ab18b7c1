import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it, vi } from 'vitest';
import { registerDataset } from '../../src/commands/dataset.ts';
import { Recorder } from '../../src/recording/recorder.ts';
import { rowNumber } from '../../src/recording/rows.testing.ts';
import { temporaryFolder } from './processes.ts';

const FILE = 'robot-1-0000000000c0ffee-000000000001.mcap';

async function recordedFolder(): Promise<string> {
  const directory = temporaryFolder();
  const nothing = () => {};
  const options = { directory, robot: 'robot-1', revision: 'test', onDurable: nothing, onProblem: nothing };
  const recorder = new Recorder(options);
  await recorder.start();
  for (let number = 1; number <= 1000; number++) if (number !== 500) recorder.row(rowNumber(number));
  await recorder.stop();
  return directory;
}

/** What a command prints, and what it throws. */
async function run(...args: string[]): Promise<{ lines: string[]; error: unknown }> {
  const program = new Command().exitOverride();
  registerDataset(program);
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  try {
    await program.parseAsync(['node', 'h2o-edge', 'dataset', ...args]);
    return { lines: written.join('').trimEnd().split('\n'), error: undefined };
  } catch (error) {
    return { lines: written.join('').trimEnd().split('\n'), error };
  } finally {
    spy.mockRestore();
  }
}

describe('dataset verify', () => {
  it('says what is there, for a program', async () => {
    const { lines, error } = await run('verify', await recordedFolder(), '--json');
    expect(error).toBeUndefined();
    expect(lines.at(-1)).toMatch(/^\{"segments":1,"rows":999,"gaps":1,"corrupt":0,"ok":true[,}]/);
  });

  it('fails when a segment is damaged, and says which', async () => {
    const directory = await recordedFolder();
    const bytes = readFileSync(join(directory, FILE));
    bytes.writeUInt8(bytes.readUInt8(100_000) ^ 4, 100_000);
    writeFileSync(join(directory, FILE), bytes);
    const { lines, error } = await run('verify', directory, '--json');
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ segments: 1, corrupt: 1, ok: false });
    expect(error).toMatchObject({ codeName: 'segmentUnreadable', message: expect.stringContaining(FILE) });
  });
});

describe('dataset ls', () => {
  it('has a line for each segment', async () => {
    const directory = await recordedFolder();
    expect((await run('ls', directory)).lines).toEqual([
      expect.stringMatching(`^${FILE}  sealed  999 rows  0.3 MB  2023`),
    ]);
    const { lines } = await run('ls', directory, '--json');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ segments: [{ file: FILE, rows: 999, state: 'sealed' }] });
  });
});
