import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAULTS } from './faults.ts';
import { brokenPromises } from './promise.ts';
import { casesOf, reportOf } from './report.ts';
import { runAll } from './run-all.ts';

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
const cases = casesOf(faults, count);
if (cases.length === 0) {
  process.stderr.write(`no fault has "${only}" in its name: ${FAULTS.map(({ id }) => id).join(' ')}\n`);
  process.exit(2);
}

let done = 0;
const runs = await runAll(cases, (run) => {
  done += 1;
  const broken = brokenPromises(run.fault.promised[run.task], run.outcome);
  const { robotState, conditions } = run.outcome;
  const words = `${done}/${cases.length} ${run.fault.id}, ${run.task}, seed ${run.seed}: ${robotState} ${conditions.join(',')}`;
  process.stderr.write(`${words}${broken.map((what) => `\n  BROKEN: ${what}`).join('')}\n`);
});
const page = reportOf(runs);
if (only === undefined) writeFileSync(join(import.meta.dirname, '..', '..', 'docs', 'safety-report.md'), page);
else process.stdout.write(page);
if (runs.some((run) => brokenPromises(run.fault.promised[run.task], run.outcome).length > 0)) process.exitCode = 1;
