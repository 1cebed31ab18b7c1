import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildFolder } from './build-folder.ts';
import { compile, FOLDER, has, LIBRARY, SANITIZED, STRICT } from './c-toolchain.ts';

const folder = buildFolder();
const vectors = join(FOLDER, 'test', 'vectors.c');

/** GCC and Clang warn of different things. */
describe.each(['gcc', 'clang'])('with %s', (compiler) => {
  const missing = has(compiler) ? '' : ` (skipped: no ${compiler})`;

  test.skipIf(missing)(`the library has no warnings and reaches every golden vector${missing}`, () => {
    const program = compile(compiler, join(folder, compiler), [...STRICT, ...SANITIZED], [vectors, ...LIBRARY]);
    expect(execFileSync(program, { encoding: 'utf8' })).toMatch(/^\d+ frames, \d+ streams, 0 problems\n$/);
  });

  test.skipIf(missing)(`and also where char is unsigned and enums are short, as on ARM${missing}`, () => {
    const arm = ['-funsigned-char', ...(compiler === 'gcc' ? ['-fshort-enums'] : [])];
    const program = compile(
      compiler,
      join(folder, `${compiler}-arm`),
      [...STRICT, ...SANITIZED, ...arm],
      [vectors, ...LIBRARY],
    );
    expect(execFileSync(program, { encoding: 'utf8' })).toContain(' 0 problems');
  });
});

test.skipIf(!has('gcc'))("the example firmware's drives give what each state says, and off is off", () => {
  const example = join(FOLDER, 'example');
  const sources = [join(FOLDER, 'test', 'motors.c'), join(example, 'motors.c'), ...LIBRARY];
  const program = compile('gcc', join(folder, 'motors'), [...STRICT, ...SANITIZED, `-I${example}`], sources);
  expect(execFileSync(program, { encoding: 'utf8' })).toBe('0 problems\n');
});

const cross = 'arm-none-eabi-gcc';
const noCross = has(cross) ? '' : ` (skipped: no ${cross})`;

test.skipIf(noCross)(`takes less than 8 KiB of Cortex-M4 code and no data${noCross}`, () => {
  const objects = LIBRARY.map((source, i) =>
    compile(
      cross,
      join(folder, `m4-${i}.o`),
      [...STRICT, '-mthumb', '-mcpu=cortex-m4', '-mfloat-abi=hard', '-mfpu=fpv4-sp-d16', '-Os', '-ffreestanding', '-c'],
      [source],
    ),
  );
  const sizes = execFileSync('arm-none-eabi-size', ['--totals', ...objects], { encoding: 'utf8' });
  const [text = 0, data = 0, bss = 0] = (sizes.trimEnd().split('\n').at(-1) ?? '').trim().split(/\s+/).map(Number);
  expect(text).toBeGreaterThan(1000);
  expect(text).toBeLessThan(8192);
  expect([data, bss], 'no globals').toEqual([0, 0]);
});

test.skipIf(noCross)(`allocates nothing and calls no library but the compiler's own${noCross}`, () => {
  const object = LIBRARY.map((source, i) =>
    compile(
      cross,
      join(folder, `calls-${i}.o`),
      [...STRICT, '-mthumb', '-mcpu=cortex-m4', '-Os', '-ffreestanding', '-c'],
      [source],
    ),
  );
  const undefinedSymbols = execFileSync('arm-none-eabi-nm', ['-u', ...object], { encoding: 'utf8' });
  const called = new Set([...undefinedSymbols.matchAll(/ U (\w+)/g)].map(([, name]) => name ?? ''));
  // A freestanding C99 compiler may always ask for memcpy and memset (GCC manual, "Standards").
  const foreign = [...called].filter((name) => !/^(h2o_|__aeabi_|mem(cpy|set)$)/.test(name));
  expect(foreign).toEqual([]);
});
