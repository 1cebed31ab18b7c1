import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it, vi } from 'vitest';
import { registerDataset } from '../../src/commands/dataset.ts';
import { acknowledge, acknowledgement } from '../../src/recording/acknowledged.ts';
import { Recorder } from '../../src/recording/recorder.ts';
import { range, rowsIn } from '../../src/recording/recording.testing.ts';
import { rowNumber } from '../../src/recording/rows.testing.ts';
import { verifyDirectory } from '../../src/recording/verify.ts';
import { temporaryFolder } from './processes.ts';

const FILE = 'robot-1-0000000000c0ffee-000000000001.mcap';

async function recorderIn(directory: string): Promise<Recorder> {
  const nothing = () => {};
  const options = { directory, robot: 'robot-1', revision: 'test', onDurable: nothing, onProblem: nothing };
  const recorder = new Recorder(options);
  await recorder.start();
  return recorder;
}

async function recordedFolder(): Promise<string> {
  const directory = temporaryFolder();
  const recorder = await recorderIn(directory);
  recorder.setBehaviour({ task: 'standing-still', noise: '0.1' });
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
    bytes.writeUInt8(bytes.readUInt8(200_000) ^ 4, 200_000);
    writeFileSync(join(directory, FILE), bytes);
    const { lines, error } = await run('verify', directory, '--json');
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ segments: 1, corrupt: 1, ok: false });
    expect(error).toMatchObject({ codeName: 'segmentUnreadable', message: expect.stringContaining(FILE) });
  });
});

/** Flips a bit in the middle of a segment. */
function spoil(path: string): Buffer {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(200_000) ^ 4, 200_000);
  writeFileSync(path, bytes);
  return bytes;
}

const lastOf = (lines: readonly string[]) => JSON.parse(lines.at(-1) ?? '');

describe('dataset ls', () => {
  it('has a line for each segment', async () => {
    const directory = await recordedFolder();
    expect((await run('ls', directory)).lines).toEqual([
      expect.stringMatching(`^${FILE}  sealed  999 rows  0.3 MB  standing-still  2023`),
    ]);
    const { lines } = await run('ls', directory, '--json');
    expect(lastOf(lines)).toMatchObject({
      segments: [{ file: FILE, rows: 999, state: 'sealed', acknowledged: false, tasks: ['standing-still'] }],
      folders: [],
    });
  });

  it('has a line for each folder of segments, and says what somebody else holds', async () => {
    const parent = temporaryFolder();
    cpSync(await recordedFolder(), join(parent, 'yesterday'), { recursive: true });
    const path = join(parent, 'yesterday', FILE);
    const bytes = readFileSync(path).length;
    await acknowledge(path, { sha256: 'a'.repeat(64), bytes, by: 'a trainer', at: '2026-01-01' });
    mkdirSync(join(parent, 'other'));
    expect((await run('ls', parent)).lines).toEqual([
      expect.stringMatching('^yesterday/  1 segments  999 rows  0.3 MB  standing-still  2023'),
    ]);
    expect((await run('ls', join(parent, 'yesterday'))).lines[0]).toContain('sealed, acknowledged');
    expect((await run('ls', join(parent, 'other'))).lines).toEqual([expect.stringContaining('holds no segments')]);
    expect((await run('ls', join(parent, 'nowhere'))).error).toMatchObject({ codeName: 'fileUnreadable' });
  });
});

describe('dataset info', () => {
  it('says what a segment says of itself, and what its rows add up to', async () => {
    const directory = await recordedFolder();
    for (const path of [join(directory, FILE), directory]) {
      expect(lastOf((await run('info', path, '--json')).lines)).toMatchObject({
        segments: 1,
        rows: 999,
        boots: ['0000000000c0ffee'],
        episodes: 1,
        falls: 0,
        tasks: { 'standing-still': 999 },
        controllers: { balancer: 999 },
        metadata: { robot: ['robot-1'], revision: ['test'], task: ['standing-still'], noise: ['0.1'] },
        channels: expect.arrayContaining([
          { topic: '/transition', schema: 'h2o_edge/msg/Transition', encoding: 'cdr', messages: 999 },
        ]),
        unsealed: [],
        damaged: [],
      });
    }
    const text = (await run('info', directory)).lines.join('\n');
    expect(text).toMatch(/999 rows, 1 episodes, 0 falls/);
    expect(text).toMatch(/noise +0\.1/);
    spoil(join(directory, FILE));
    expect(lastOf((await run('info', directory, '--json')).lines)).toMatchObject({
      damaged: [expect.stringContaining(FILE)],
    });
  });

  it('of something else is an error that names it', async () => {
    const directory = temporaryFolder();
    writeFileSync(join(directory, 'notes.txt'), 'no segment');
    expect((await run('info', join(directory, 'notes.txt'))).error).toMatchObject({ codeName: 'segmentUnreadable' });
    expect((await run('info', join(directory, 'nothing'))).error).toMatchObject({ codeName: 'fileUnreadable' });
  });
});

describe('dataset repair', () => {
  it('makes a whole segment of one that was cut, and leaves whole ones alone', async () => {
    const directory = await recordedFolder();
    const before = readFileSync(join(directory, FILE));
    expect(lastOf((await run('repair', directory, '--json')).lines)).toEqual({
      segments: 1,
      repaired: [],
      failed: [],
      ok: true,
    });
    expect(readFileSync(join(directory, FILE)).equals(before)).toBe(true);
    const part = FILE.replace('.mcap', '.part');
    rmSync(join(directory, FILE));
    writeFileSync(join(directory, part), before.subarray(0, 200_000));
    const { lines, error } = await run('repair', join(directory, part), '--json');
    expect(error).toBeUndefined();
    expect(lastOf(lines)).toMatchObject({ segments: 1, repaired: [{ file: part, sealed: FILE }], ok: true });
    expect(readdirSync(directory)).toEqual([FILE]);
    const rows = await rowsIn(join(directory, FILE));
    expect(rows).toEqual(
      range(1, 999)
        .filter((number) => number !== 500)
        .slice(0, rows.length),
    );
    expect(rows.length).toBeGreaterThan(500);
    expect(await verifyDirectory(directory)).toMatchObject({ rows: rows.length, corrupt: 0, open: 0, ok: true });
  });

  it('of a damaged segment keeps the original aside, also a second time', async () => {
    const directory = await recordedFolder();
    const first = spoil(join(directory, FILE));
    expect((await run('repair', join(directory, FILE))).lines.join('\n')).toMatch(/CRC.*the original is/);
    const stem = FILE.replace('.mcap', '');
    expect(readdirSync(directory).sort()).toEqual([`${stem}.damaged`, FILE].sort());
    expect(readFileSync(join(directory, `${stem}.damaged`)).equals(first)).toBe(true);
    expect((await run('verify', directory)).error).toBeUndefined();
    // A sealed segment that has lost its end has lost what was safe: that is damage, too.
    const second = readFileSync(join(directory, FILE)).subarray(0, 100_000);
    writeFileSync(join(directory, FILE), second);
    expect((await run('repair', directory)).error).toBeUndefined();
    expect(readdirSync(directory).sort()).toEqual([`${stem}.2.damaged`, `${stem}.damaged`, FILE].sort());
    expect(readFileSync(join(directory, `${stem}.damaged`)).equals(first)).toBe(true);
    expect(readFileSync(join(directory, `${stem}.2.damaged`)).equals(second)).toBe(true);
    expect(await verifyDirectory(directory)).toMatchObject({ corrupt: 0, ok: true, keptAside: 2 });
  });

  it('refuses while a recorder is at work there, and says what it could not repair', async () => {
    const directory = await recordedFolder();
    const part = FILE.replace('.mcap', '.part');
    const whole = readFileSync(join(directory, FILE));
    const recorder = await recorderIn(directory);
    recorder.row(rowNumber(2000));
    await recorder.flush();
    const open = readdirSync(directory).filter((name) => name.endsWith('.part'));
    expect((await run('repair', directory)).error).toMatchObject({ codeName: 'recordingFailed' });
    expect((await run('repair', join(directory, open[0] ?? ''))).error).toMatchObject({ codeName: 'recordingFailed' });
    await recorder.stop();
    // Both names at once: nobody can say which is right, and neither is touched.
    writeFileSync(join(directory, part), whole.subarray(0, 200_000));
    const { lines, error } = await run('repair', directory, '--json');
    expect(lastOf(lines)).toMatchObject({ ok: false, failed: [{ file: part }] });
    expect(error).toMatchObject({ codeName: 'recordingFailed', message: expect.stringContaining(part) });
    expect((await run('repair', join(directory, 'notes.txt'))).error).toMatchObject({ codeName: 'fileUnreadable' });
  });
});

describe('dataset acknowledge', () => {
  it('notes who holds a segment, with the sum that a copy must have', async () => {
    const directory = await recordedFolder();
    const path = join(directory, FILE);
    const { lines, error } = await run('acknowledge', path, '--by', 'laptop', '--json');
    expect(error).toBeUndefined();
    const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
    const bytes = readFileSync(path).length;
    expect(lastOf(lines)).toEqual({ acknowledged: [{ segment: path, sha256, bytes }] });
    expect(await acknowledgement(path, bytes)).toMatchObject({ by: 'laptop', sha256 });
    expect((await run('ls', directory)).lines[0]).toContain('sealed, acknowledged');
  });

  it('refuses what is damaged, or not sealed, or not there', async () => {
    const directory = await recordedFolder();
    const path = join(directory, FILE);
    const part = path.replace('.mcap', '.part');
    writeFileSync(part, readFileSync(path));
    spoil(path);
    for (const segment of [path, part]) {
      expect((await run('acknowledge', segment)).error).toMatchObject({ codeName: 'segmentUnreadable' });
    }
    expect((await run('acknowledge', join(directory, 'no.mcap'))).error).toMatchObject({ codeName: 'fileUnreadable' });
    expect(readdirSync(directory).filter((file) => file.endsWith('.acknowledged'))).toEqual([]);
  });
});
