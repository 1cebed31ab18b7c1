import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CLI, environmentOf, h2oEdge, lastLine, temporaryFolder, until } from '../harness.ts';

const SMALL = [
  ...['--task', 'standing-still', '--algorithm', 'sac', '--steps', '300', '--seed', '7', '--seeds', '2'],
  ...['--set', 'training.warmUp=20', 'networks.hidden=[8,8]', '--checkpoint-every', '20'],
  ...['--evaluate-every', '150', '--evaluation-seconds', '1'],
];

/** Starts a training and, once there is a checkpoint, sends it a signal. */
async function interrupted(folder: string, signal: NodeJS.Signals) {
  const child = spawn(process.execPath, [CLI, 'train', ...SMALL, '--out', folder], { env: environmentOf() });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await until('there is a checkpoint', () => checkpointsIn(folder).length > 0 || child.exitCode !== null);
  child.kill(signal);
  return { code: await ended, stderr };
}

function checkpointsIn(folder: string): string[] {
  const path = join(folder, 'checkpoints');
  return existsSync(path) ? readdirSync(path).filter((name) => name.endsWith('.checkpoint')) : [];
}

const resultOf = (folder: string) =>
  [join(folder, 'metrics.jsonl'), join(folder, 'checkpoints', '000000300.checkpoint')].map((path) =>
    readFileSync(path),
  );

describe('a training', () => {
  it('that is killed or asked to end goes on, with the same bits as one that was left alone', async () => {
    const [alone, killed, asked] = ['alone', 'killed', 'asked'].map((name) => join(temporaryFolder(), name)) as [
      string,
      string,
      string,
    ];
    expect((await h2oEdge(['train', ...SMALL, '--out', alone])).code).toBe(0);

    const kill = await interrupted(killed, 'SIGKILL');
    expect(kill.code).toBeNull();
    const goneOn = await h2oEdge(['train', '--resume', killed, '--json']);
    expect(goneOn.stderr).toMatch(/goes on from step \d+/);
    expect(goneOn.code).toBe(0);
    expect(lastLine(goneOn)).toMatchObject({ ok: true, steps: 300, seeds: [{ seed: 7 }, { seed: 8 }] });

    const interrupt = await interrupted(asked, 'SIGINT');
    expect(interrupt).toMatchObject({ code: 130, stderr: expect.stringContaining(`--resume ${asked}`) });
    expect((await h2oEdge(['train', '--resume', asked])).code).toBe(0);

    const [metrics, weights] = resultOf(alone);
    for (const folder of [killed, asked]) {
      const [metricsAgain, weightsAgain] = resultOf(folder);
      expect(metricsAgain?.toString()).toBe(metrics?.toString());
      expect(weightsAgain?.equals(weights ?? Buffer.of())).toBe(true);
    }
    expect(readFileSync(join(alone, 'curves.svg'), 'utf8')).toContain('<svg');
  });

  it('says what is wrong with what it is told, without a stack trace', async () => {
    const folder = temporaryFolder();
    const out = ['--out', join(folder, 'run')];
    const cases: [string[], RegExp][] = [
      [['--task', 'standing-still', '--algorithm', 'h2o', ...out], /h2o learns from real data.*--dataset/s],
      [['--task', 'standing-still', '--algorithm', 'sac', '--gap', 'no-such-gap', ...out], /no-such-gap/],
      [['--resume', join(folder, 'nothing')], /cannot read .*config.yaml/],
    ];
    for (const [words, expected] of cases) {
      const { code, stderr } = await h2oEdge(['train', ...words]);
      expect(stderr, words.join(' ')).toMatch(expected);
      expect(stderr, words.join(' ')).not.toMatch(/\n\s+at /);
      expect(code, words.join(' ')).toBe(1);
    }
  });
});
