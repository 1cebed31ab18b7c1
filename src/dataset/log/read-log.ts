import { readFileSync } from 'node:fs';
import { EdgeError, messageOf } from '../../errors.ts';

/** One line of a log of the authors' form. */
export interface LogRow {
  /** [m] */
  readonly x: number;
  /** [m/s] */
  readonly speed: number;
  /** [rad] */
  readonly pitch: number;
  /** [rad/s] */
  readonly pitchRate: number;
  /** [N·m] total of both wheels */
  readonly torque: number;
  readonly done: boolean;
}

const columns = ['x', 'v', 'pitch', 'pitch rate', 'torque', 'done'] as const;

/**
 * Reads a log: one row a line, six columns apart by white space.
 * @throws EdgeError `fileUnreadable`, `logInvalid` with the line
 */
export function readLog(path: string): LogRow[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new EdgeError('fileUnreadable', `cannot read ${path}: ${messageOf(error)}`, 'check the path');
  }
  return parseLog(text, path);
}

/** As `readLog`, for text in memory; `path` only names it in errors. */
export function parseLog(text: string, path: string): LogRow[] {
  const rows: LogRow[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() !== '') rows.push(parseRow(line, `${path}:${index + 1}`));
  }
  if (rows.length === 0) throw invalid(`${path}: no rows`);
  return rows;
}

function parseRow(line: string, where: string): LogRow {
  const words = line.trim().split(/\s+/);
  if (words.length !== columns.length) throw invalid(`${where}: ${words.length} columns instead of ${columns.length}`);
  const [x = 0, speed = 0, pitch = 0, pitchRate = 0, torque = 0, done = 0] = words.map((word, column) => {
    const value = Number(word);
    if (!Number.isFinite(value)) throw invalid(`${where}: ${columns[column]} is not a number: ${word.slice(0, 40)}`);
    return value;
  });
  if (done !== 0 && done !== 1) throw invalid(`${where}: done is neither 0 nor 1: ${done}`);
  return { x, speed, pitch, pitchRate, torque, done: done === 1 };
}

function invalid(message: string): EdgeError {
  return new EdgeError('logInvalid', message, `a row is ${columns.join(', ')}, apart by white space`);
}
