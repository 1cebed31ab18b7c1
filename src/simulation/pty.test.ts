import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openPty } from './pty.ts';

const directory = mkdtempSync(join(tmpdir(), 'pty-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** All byte values, several times over, longer than the terminal's buffer. */
const everything = Uint8Array.from({ length: 20_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

async function readFrom(file: FileHandle, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at);
    if (bytesRead === 0) throw new Error('the slave hung up');
    at += bytesRead;
  }
  return bytes;
}

/** Until a condition holds; the test's own limit ends the wait. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Processes that have this text in their environment, found under /proc. */
function processesWith(mark: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark);
    } catch {
      return false;
    }
  });
}

describe('the pty', () => {
  it('carries every byte value both ways', async () => {
    const pty = await openPty();
    const file = await open(pty.path, 'r+');
    const reading = readFrom(file, everything.length);
    for (let at = 0; at < everything.length; at += 500) {
      while (!pty.write(everything.subarray(at, at + 500))) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(Buffer.compare(await reading, everything)).toBe(0);

    const heard: Buffer[] = [];
    pty.onData((bytes) => heard.push(Buffer.from(bytes)));
    for (let at = 0; at < everything.length; at += 500) await file.write(everything.subarray(at, at + 500));
    await until(() => Buffer.concat(heard).length >= everything.length);
    expect(Buffer.compare(Buffer.concat(heard), everything)).toBe(0);
    await file.close();
    await pty.close();
  });

  it('can be opened again by another host', async () => {
    const pty = await openPty();
    for (let i = 0; i < 3; i++) {
      const file = await open(pty.path, 'r+');
      pty.write(Uint8Array.of(i, 0));
      expect([...(await readFrom(file, 2))]).toEqual([i, 0]);
      await file.close();
    }
    await pty.close();
  });

  it('vanishes and returns under the same name', async () => {
    const link = join(directory, 'port');
    const first = await openPty({ link });
    expect(readlinkSync(link)).toBe(first.path);
    const second = await openPty({ link });
    expect(readlinkSync(link)).toBe(second.path);
    await first.close();
    await second.close();
    expect(existsSync(link)).toBe(false);
    expect(existsSync(second.path)).toBe(false);
  });

  it('names the tool that is missing', async () => {
    const path = process.env.PATH;
    process.env.PATH = directory;
    try {
      await expect(openPty()).rejects.toMatchObject({ codeName: 'ptyUnavailable', message: /"setpriv"/ });
    } finally {
      process.env.PATH = path;
    }
  });

  it('leaves no process behind after a kill -9', async () => {
    const mark = `PTY_TEST_MARK=${process.pid}.${performance.now()}`;
    const [name = '', value = ''] = mark.split('=');
    const source = new URL('./pty.ts', import.meta.url).href;
    const program = `const { openPty } = await import(${JSON.stringify(source)});
      const pty = await openPty(); process.stdout.write(pty.path + '\\n'); setInterval(() => {}, 1000);`;
    const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, [name]: value },
    });
    let output = '';
    child.stdout?.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
    await until(() => output.includes('\n') || child.exitCode !== null);
    const slave = output.trim();
    expect(slave).toMatch(/^\/dev\/pts\//);
    expect(processesWith(mark).length).toBeGreaterThanOrEqual(3);
    child.kill('SIGKILL');
    await until(() => processesWith(mark).length === 0 && !existsSync(slave));
    expect(processesWith(mark)).toEqual([]);
  });
});
