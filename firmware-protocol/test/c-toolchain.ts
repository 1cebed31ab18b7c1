import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Builds the C half for tests, as strictly as a firmware project might. */

export const FOLDER = fileURLToPath(new URL('..', import.meta.url));

/** All of the library; what a firmware project copies. */
export const LIBRARY = ['h2o_messages.c', 'h2o_link.c', 'h2o_clock.c', 'h2o_mcu.c'].map((file) =>
  join(FOLDER, 'c', file),
);

export const STRICT = [
  '-std=c99',
  '-Wall',
  '-Wextra',
  '-Wpedantic',
  '-Wconversion',
  '-Wsign-conversion',
  '-Wshadow',
  '-Wstrict-prototypes',
  '-Wswitch-enum',
  '-Werror',
];

export const SANITIZED = ['-g', '-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];

/** Whether a tool is there; tests that need it say so in their names otherwise. */
export const has = (tool: string): boolean => spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0;

/** Compiles; what the compiler complains of is the error. @returns `output` */
export function compile(
  compiler: string,
  output: string,
  flags: readonly string[],
  sources: readonly string[],
): string {
  const words = [...flags, `-I${join(FOLDER, 'c')}`, `-I${join(FOLDER, 'test')}`, ...sources, '-o', output];
  execFileSync(compiler, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  return output;
}
