import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CheckpointFolder, readCheckpoint } from './checkpoint-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'h2o-checkpoint-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const checkpoint = (step: number) => ({
  step,
  state: { words: ['a', 'b'], exact: 0.1 + 0.2, tiny: 5e-324 },
  arrays: {
    floats: Float32Array.of(1.5, -0, 3.4e38, Number.MIN_VALUE),
    bytes: Uint8Array.of(1, 2, 255),
    numbers: Int32Array.of(-1, 2 ** 31 - 1),
    none: new Float32Array(0),
  },
});

describe('a checkpoint', () => {
  it('comes back bit by bit', () => {
    const path = new CheckpointFolder(folder).write(checkpoint(7));
    const { step, state, arrays } = readCheckpoint(path);
    expect(step).toBe(7);
    expect(state).toEqual(checkpoint(7).state);
    expect(arrays).toEqual(checkpoint(7).arrays);
    expect(readdirSync(folder)).toEqual(['000000007.checkpoint']);
  });

  it('is refused when one bit of it is another, or its end is missing', () => {
    const path = new CheckpointFolder(folder).write(checkpoint(7));
    const bytes = readFileSync(path);
    const refused = expect.objectContaining({ codeName: 'checkpointInvalid' });
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt8((bytes[at] ?? 0) ^ (1 << (at % 8)), at);
      writeFileSync(path, damaged);
      expect(() => readCheckpoint(path), `byte ${at}`).toThrow(refused);
    }
    for (const length of [0, 3, 15, bytes.length - 1]) {
      writeFileSync(path, bytes.subarray(0, length));
      expect(() => readCheckpoint(path), `${length} bytes`).toThrow(refused);
    }
  });

  it('stands beside a few before it, which count when it is damaged', () => {
    const kept = new CheckpointFolder(folder, 3);
    for (const step of [5, 10, 15, 20, 100]) kept.write(checkpoint(step));
    expect(readdirSync(folder).sort()).toEqual(
      ['000000015', '000000020', '000000100'].map((name) => `${name}.checkpoint`),
    );
    writeFileSync(join(folder, '000000100.checkpoint'), 'H2OC and then nothing of use');
    writeFileSync(join(folder, '000000200.checkpoint.partial'), 'cut off');
    const damaged: string[] = [];
    expect(kept.newest(({ message }) => damaged.push(message))?.step).toBe(20);
    expect(damaged).toHaveLength(1);
    expect(new CheckpointFolder(join(folder, 'nothing')).newest(() => undefined)).toBeUndefined();
  });
});
