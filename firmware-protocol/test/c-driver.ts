import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

import { compile, FOLDER, LIBRARY, STRICT } from './c-toolchain.ts';

/** test/driver.c from TypeScript. */

export const buildDriver = (folder: string, flags: readonly string[]): string =>
  compile('gcc', join(folder, 'driver'), [...STRICT, ...flags], [join(FOLDER, 'test', 'driver.c'), ...LIBRARY]);

const u32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => {
    bytes.writeUInt32LE(value, 4 * i);
  });
  return bytes;
};

/** Numbers that the driver answers for one stream: its counters in the order of `h2o_counters`, and the CRC. */
export const WORDS_PER_STREAM = 14;

/** The decoder, stream after stream, in a process of its own. */
export class CDecoder {
  readonly #child;
  #answer: Buffer = Buffer.alloc(0);
  #heard: (() => void) | undefined;

  constructor(driver: string) {
    this.#child = spawn(driver, ['decode'], { stdio: ['pipe', 'pipe', 'inherit'] });
    (this.#child.stdout as Readable).on('data', (bytes: Buffer) => {
      this.#answer = Buffer.concat([this.#answer, bytes]);
      this.#heard?.();
    });
    this.#child.once('exit', () => this.#heard?.());
  }

  /** @returns WORDS_PER_STREAM numbers for each stream */
  async judge(streams: readonly { readonly from: 'host' | 'mcu'; readonly bytes: Uint8Array }[]): Promise<Uint32Array> {
    const pieces = streams.flatMap(({ from, bytes }) => [u32(from === 'host' ? 0 : 1, bytes.length), bytes]);
    const { stdin } = this.#child;
    const wanted = streams.length * WORDS_PER_STREAM * 4;
    const written = new Promise<void>((resolve, reject) => {
      stdin.write(Buffer.concat([...pieces, u32(2, 0)]), (error) => (error ? reject(error) : resolve()));
    });
    while (this.#answer.length < wanted) {
      if (this.#child.exitCode !== null) throw new Error(`the driver ended with ${this.#child.exitCode}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
    await written;
    const answer = this.#answer.subarray(0, wanted);
    this.#answer = this.#answer.subarray(wanted);
    return new Uint32Array(new Uint8Array(answer).buffer);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async end(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }
}

/** What happens to an MCU. */
export type McuOperation =
  | { readonly does: 'boot'; readonly nonce: number }
  | { readonly does: 'pass'; readonly milliseconds: number }
  | { readonly does: 'receive'; readonly bytes: Uint8Array }
  | { readonly does: 'faults'; readonly bits: number };

/** Runs the MCU of h2o_mcu.c. @returns what it sent in each operation */
export function runCMcu(driver: string, operations: readonly McuOperation[]): Buffer[] {
  const input = Buffer.concat(operations.map(inputOf));
  // The driver writes as it reads: all that it says must fit in memory, not in a pipe.
  const { stdout, status, stderr } = spawnSync(driver, ['mcu'], { input, maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`the driver ended with ${status}: ${stderr}`);
  const sent: Buffer[] = [];
  for (let at = 0; at < stdout.length; ) {
    const end = at + 4 + stdout.readUInt32LE(at);
    sent.push(stdout.subarray(at + 4, end));
    at = end;
  }
  return sent;
}

function inputOf(operation: McuOperation): Buffer {
  switch (operation.does) {
    case 'boot':
      return u32(0, operation.nonce);
    case 'pass':
      return u32(1, operation.milliseconds);
    case 'receive':
      return Buffer.concat([u32(2, operation.bytes.length), operation.bytes]);
    case 'faults':
      return u32(3, operation.bits);
  }
}
