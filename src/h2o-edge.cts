#!/usr/bin/env node
// The program's entry is CommonJS for one reason: libuv reads UV_THREADPOOL_SIZE when its first thread starts, and loading
// an ES module starts one. serialport reads through these threads: with the default four, four waiting file calls stop
// every sensor frame.
process.env.UV_THREADPOOL_SIZE ??= '16';
process.env.ORT_DISABLE_TELEMETRY ??= '1';

void import('./cli.ts');
