import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'firmware-protocol/**/*.test.ts'],
    // Process-level tests drive real ptys and real children: slow machines need slack, and no test asserts a duration.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // One file at a time: the processes of a test want both of two processors.
    maxWorkers: 1,
  },
});
