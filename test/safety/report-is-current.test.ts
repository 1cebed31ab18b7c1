import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { TaskName } from '../../src/robot/tasks/task.ts';
import { taskNames } from '../../src/robot/tasks/tasks.ts';
import { FAILSAFE_TABLE } from '../../src/safety/failsafe-table.ts';
import { FAULT_GROUPS, FAULTS } from './faults.ts';
import { describePromise } from './promise.ts';

const page = readFileSync(new URL('../../docs/safety-report.md', import.meta.url), 'utf8');

interface Line {
  readonly group: string;
  readonly task: string;
  readonly cells: readonly string[];
}

/** Rows of the page's tables of faults, with the headings that they stand under. */
function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  let heading: { group: string; task: string } | undefined;
  for (const line of text.split('\n')) {
    const title = /^## (.+), ([a-z-]+)$/.exec(line);
    if (title) heading = { group: title[1] ?? '', task: title[2] ?? '' };
    else if (line.startsWith('## ')) heading = undefined;
    if (!heading || !line.startsWith('| ') || /^\| (fault|---)/.test(line)) continue;
    const cells = line.split('|').slice(1, -1);
    lines.push({ ...heading, cells: cells.map((cell) => cell.trim()) });
  }
  return lines;
}

const lines = linesOf(page);
const lineOf = (group: string, task: TaskName, says: string) =>
  lines.find((line) => line.group === group && line.task === task && line.cells[0] === says);

describe('docs/safety-report.md; if not, `npm run safety-report` makes it so', () => {
  it('has every fault in both tasks, and none that is not put to the robot', () => {
    expect(lines.length).toBe(FAULTS.length * taskNames.length);
    for (const [group, faults] of Object.entries(FAULT_GROUPS)) {
      for (const task of taskNames) {
        for (const { says } of faults) expect(lineOf(group, task, says), `${says}, ${task}`).toBeDefined();
      }
    }
  });

  it('promises what the failsafe table says now', () => {
    for (const [group, faults] of Object.entries(FAULT_GROUPS)) {
      for (const task of taskNames) {
        for (const { says, promised } of faults) {
          expect(lineOf(group, task, says)?.cells[1], `${says}, ${task}`).toBe(describePromise(promised[task]));
        }
      }
    }
  });

  it('names only conditions that there are, and has no promise broken and no command outside the limits', () => {
    const known = new Set<string>(FAILSAFE_TABLE.map(({ id }) => id));
    for (const { cells } of lines) {
      for (const id of (cells[3] ?? '').split(', ').filter((name) => name !== '')) expect(known).toContain(id);
    }
    const [faults, tasks, runs, commands, outside, broken] = summaryOf(page);
    expect({ faults, tasks, outside, broken }).toEqual({
      faults: FAULTS.length,
      tasks: taskNames.length,
      outside: 0,
      broken: 0,
    });
    expect(runs).toBeGreaterThanOrEqual(5);
    expect(commands).toBeGreaterThan(FAULTS.length * 2000);
  });
});

/** Numbers of the table at the top. */
function summaryOf(text: string): number[] {
  const at = text.indexOf('| -----: |');
  const line = text.slice(at).split('\n')[1] ?? '';
  return line.split('|').slice(1, -1).map(Number);
}
