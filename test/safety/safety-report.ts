import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAULTS } from './faults.ts';
import { brokenPromises } from './promise.ts';
import { reportOf, roundOf } from './report.ts';
import { type Run, runAll } from './run-all.ts';

// npm run safety-report                     every fault × task, five runs each; writes docs/safety-report.md
// npm run safety-report -- --runs 9         as many runs
// npm run safety-report -- --only gyro      faults whose id has this in it; prints the page and writes nothing

const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
};

const only = option('--only');
const count = Number(option('--runs') ?? 5);
if (!Number.isInteger(count) || count < 1) {
  process.stderr.write(`--runs ${option('--runs')} is not a number of runs\n`);
  process.exit(2);
}
const faults = FAULTS.filter(({ id }) => only === undefined || id.includes(only));
if (faults.length === 0) {
  process.stderr.write(`no fault has "${only}" in its name: ${FAULTS.map(({ id }) => id).join(' ')}\n`);
  process.exit(2);
}

const path = join(import.meta.dirname, '..', '..', 'docs', 'safety-report.md');
const runs: Run[] = [];
for (let seed = 1; seed <= count; seed++) {
  const round = roundOf(faults, seed);
  let done = 0;
  const tell = (run: Run) => {
    done += 1;
    const { robotState, conditions } = run.outcome;
    const broken = brokenPromises(run.fault.promised[run.task], run.outcome);
    const words = `${seed}/${count} ${done}/${round.length} ${run.fault.id}, ${run.task}: ${robotState} ${conditions.join(',')}`;
    process.stderr.write(`${words}${broken.map((what) => `\n  BROKEN: ${what}`).join('')}\n`);
  };
  runs.push(...(await runAll(round, tell)));
  // a long time: what is there after each round is a whole page already
  if (only === undefined) writeFileSync(path, reportOf(runs));
}
if (only !== undefined) process.stdout.write(reportOf(runs));
if (runs.some((run) => brokenPromises(run.fault.promised[run.task], run.outcome).length > 0)) process.exitCode = 1;
