import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { readAuditLines } from '../audit/audit-files.ts';
import { type AuditEntry, type ChainHead, headText, parseHead, readLine } from '../audit/chain.ts';
import { type ChainReport, checkChain } from '../audit/check-chain.ts';
import { EdgeError, messageOf } from '../errors.ts';
import { findConfig, withConfig } from './context.ts';
import { say, sayJson } from './output.ts';

interface AuditOptions {
  config?: string;
  directory?: string;
  json?: boolean;
}

/** A line that is just being written is whole after this [ms]. */
const WRITING = 300;

export function registerAudit(program: Command): void {
  const audit = program.command('audit').description('what started, stopped or was refused on this robot');
  const about = (command: Command) =>
    withConfig(command)
      .option('--directory <folder>', "where the log is (default: the configuration's stateDirectory)")
      .option('--json', 'print one JSON object as the last line');

  about(audit.command('verify'))
    .description('follow the chain of the audit log: name the first line that was edited, removed, inserted or moved')
    .option(
      '--head <index:hash>',
      'an entry that was published (status, MQTT state) and kept elsewhere: finds a log that was cut',
    )
    .action(verify);

  about(audit.command('show'))
    .description('the entries of the audit log, oldest first')
    .option('--since <when>', 'a time (2030-01-31T12:00) or an age (90s, 10m, 2h, 7d)')
    .action(show);
}

async function verify(options: AuditOptions & { head?: string }): Promise<void> {
  const published = options.head === undefined ? undefined : headOf(options.head);
  let found = await read(options);
  if (found.tornBytes > 0) {
    await delay(WRITING);
    found = await read(options);
  }
  const report = checkChain(found.lines, published);
  const torn = found.tornBytes > 0 && report.problem === undefined;
  const ok = report.ok && !torn;
  if (options.json)
    sayJson({ ...report, ok, head: report.head ?? null, problem: report.problem ?? null, tornBytes: found.tornBytes });
  else for (const line of describe(report)) say(line);
  if (report.problem) {
    const { file, line, damage, says } = report.problem;
    throw new EdgeError(
      'auditInvalid',
      `${file}, line ${line}: ${damage}: ${says}`,
      'the log before this line is whole; compare the rest with a copy, and with the heads that were published',
    );
  }
  if (torn) {
    throw new EdgeError(
      'auditInvalid',
      `the last ${found.tornBytes} bytes are no whole line`,
      'a crash leaves that behind; control repairs it at its next start, with an entry that says so',
    );
  }
}

async function show(options: AuditOptions & { since?: string }): Promise<void> {
  const since = options.since === undefined ? Number.NEGATIVE_INFINITY : timeOf(options.since);
  const { lines } = await read(options);
  const entries = lines.flatMap(({ text }) => {
    const entry = readLine(text);
    return typeof entry === 'string' || !(Date.parse(entry.wall) >= since) ? [] : [entry];
  });
  if (options.json) sayJson({ entries });
  else for (const entry of entries) say(describeEntry(entry));
}

async function read(options: AuditOptions) {
  const folder = options.directory ?? findConfig(options).stateDirectory;
  try {
    return await readAuditLines(folder);
  } catch (error) {
    throw new EdgeError(
      'fileUnreadable',
      `cannot read the audit log in ${folder}: ${messageOf(error)}`,
      'name its folder with --directory, and read it as a user who may',
    );
  }
}

function headOf(text: string): ChainHead {
  const head = parseHead(text);
  if (head) return head;
  const remedy = 'give it as INDEX:HASH, as `h2o-edge audit verify` prints it; the hash has 64 hexadecimal digits';
  throw new EdgeError('usage', `--head ${text} is no head of an audit log`, remedy);
}

const UNITS: Readonly<Record<string, number>> = { s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3 };

/** [ms since 1970] */
function timeOf(text: string): number {
  const age = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text);
  const time = age ? Date.now() - Number(age[1]) * (UNITS[age[2] ?? ''] ?? 0) : Date.parse(text);
  if (!Number.isNaN(time)) return time;
  throw new EdgeError(
    'usage',
    `--since ${text} is no time`,
    'give a time such as 2030-01-31T12:00, or an age such as 10m',
  );
}

function describe({ entries, first, head, repairs, dropped, ok }: ChainReport): string[] {
  if (head === undefined) return ['no entries'];
  return [
    `${entries} entries, ${first} to ${head.index}${ok ? ', each follows the one before it' : ''}`,
    ...(first === undefined || first === 0 ? [] : [`entries before ${first} were given up by rotation`]),
    ...(repairs > 0 ? [`${repairs} torn ends were repaired at a start`] : []),
    ...(dropped > 0 ? [`${dropped} entries were lost because the disk was too slow`] : []),
    `head ${headText(head)}`,
  ];
}

function describeEntry({ index, wall, event, who, details }: AuditEntry): string {
  const words = Object.entries(details).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return [index, wall, event, ...(who === '' ? [] : [`by ${who}`]), ...words].join('  ');
}
