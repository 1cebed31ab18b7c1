import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildFolder } from './build-folder.ts';
import { compile, FOLDER, LIBRARY, STRICT } from './c-toolchain.ts';

/**
 * libFuzzer on the C half, from the corpus in the repository, for a fixed number of runs. To go on for hours, and to keep
 * what it finds: the commands in fuzz/README.md. The TypeScript half is fuzzed by src/protocol/frame-mutations.test.ts.
 */

const RUNS = 100_000;
/** A hang must end; on a busy machine this takes a while [ms]. */
const PATIENCE = 600_000;
const folder = buildFolder();

/** Needs Clang's runtime (Debian: libclang-rt-14-dev). */
function hasLibFuzzer(): boolean {
  const source = join(folder, 'probe.c');
  writeFileSync(
    source,
    '#include <stddef.h>\n#include <stdint.h>\nint LLVMFuzzerTestOneInput(const uint8_t *d, size_t n) { return d == NULL && n > 0; }\n',
  );
  const { status } = spawnSync('clang', ['-fsanitize=fuzzer,address,undefined', source, '-o', join(folder, 'probe')]);
  return status === 0;
}

const missing = hasLibFuzzer() ? '' : ' (skipped: no clang with libFuzzer)';

test.skipIf(missing).each(['decoder', 'mcu'])(
  `the %s survives ${RUNS} inputs made to break it${missing}`,
  (name) => {
    const flags = [...STRICT, '-g', '-O1', '-fsanitize=fuzzer,address,undefined', '-fno-sanitize-recover=all'];
    const fuzzer = compile('clang', join(folder, name), flags, [join(FOLDER, 'fuzz', `fuzz-${name}.c`), ...LIBRARY]);
    // It writes new inputs into the first folder that it is given.
    const corpus = join(folder, `${name}-corpus`);
    mkdirSync(corpus);
    cpSync(join(FOLDER, 'fuzz', 'corpus', name), corpus, { recursive: true });
    expect(readdirSync(corpus).length).toBeGreaterThan(10);
    const words = [`-runs=${RUNS}`, '-max_len=600', '-print_final_stats=1', `-artifact_prefix=${folder}/`, corpus];
    const { status, stderr } = spawnSync(fuzzer, words, { encoding: 'utf8', maxBuffer: 2 ** 28 });
    expect(status, stderr.slice(-4000)).toBe(0);
    expect(stderr).toMatch(/number_of_executed_units: \d{6}/);
  },
  PATIENCE,
);

test('this test can fail: the fuzzer reports a library that is broken', {
  timeout: PATIENCE,
  skip: missing !== '',
}, () => {
  // An e-stop that latches nothing.
  const broken = join(folder, 'h2o_mcu_broken.c');
  const source = execFileSync('sed', [
    '/h2o_mcu_set_stop_input/,/^}/s/H2O_MCU_STATE_ESTOPPED/H2O_MCU_STATE_LIMP/',
    join(FOLDER, 'c', 'h2o_mcu.c'),
  ]);
  writeFileSync(broken, source);
  const sources = [...LIBRARY.filter((file) => !file.endsWith('h2o_mcu.c')), broken];
  const fuzzer = compile(
    'clang',
    join(folder, 'broken'),
    ['-O1', '-fsanitize=fuzzer'],
    [join(FOLDER, 'fuzz', 'fuzz-mcu.c'), ...sources],
  );
  const corpus = join(FOLDER, 'fuzz', 'corpus', 'mcu');
  const files = readdirSync(corpus).map((file) => join(corpus, file));
  expect(spawnSync(fuzzer, [`-artifact_prefix=${folder}/`, ...files]).status).not.toBe(0);
});
