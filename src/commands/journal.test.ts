import { closeSync, fstatSync, openSync } from 'node:fs';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { isJournal, journalStream } from './journal.ts';

it('each line says its priority, as syslog numbers it', () => {
  const lines: string[] = [];
  const log = pino(
    { level: 'trace', base: null, timestamp: false },
    journalStream({ write: (line) => lines.push(line) }),
  );
  log.fatal('a');
  log.error({ problem: 'two\nlines' }, 'b');
  log.warn('c');
  log.info('d');
  log.debug('e');
  log.trace('f');
  expect(lines.map((line) => line.slice(0, 3))).toEqual(['<2>', '<3>', '<4>', '<6>', '<7>', '<7>']);
  // One entry of the journal each, and JSON behind the prefix.
  for (const line of lines) expect(line.indexOf('\n')).toBe(line.length - 1);
  expect(JSON.parse(lines[1]?.slice(3) ?? '')).toEqual({ level: 50, problem: 'two\nlines', msg: 'b' });
});

it('the journal is known by the file that it named, and by nothing else', () => {
  const descriptor = openSync('/dev/null', 'r');
  try {
    const { dev, ino } = fstatSync(descriptor);
    expect(isJournal(descriptor, `${dev}:${ino}`)).toBe(true);
    expect(isJournal(descriptor, `${dev}:${ino + 1}`)).toBe(false);
    expect(isJournal(descriptor, '')).toBe(false);
    expect(isJournal(descriptor, undefined)).toBe(false);
  } finally {
    closeSync(descriptor);
  }
});
