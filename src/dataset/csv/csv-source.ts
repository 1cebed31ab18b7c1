import { createReadStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { Breaks, sound } from '../check-batch.ts';
import { invalid } from '../invalid.ts';
import { parseMarks } from '../marks.ts';
import { BATCH_ROWS, type TransitionSource } from '../source.ts';
import { allocate, type Provenance, rowsOf, type Shape, type Transitions } from '../transitions.ts';

/** Where in a line what is found. */
interface Columns {
  readonly count: number;
  readonly observations: readonly number[];
  readonly actions: readonly number[];
  readonly reward: number;
  readonly nextObservations: readonly number[];
  readonly terminal: number;
  readonly timeout: number;
  readonly marks: number | undefined;
  readonly names: readonly string[];
}

/**
 * A CSV file as `CsvWriter` writes it: columns are found by their names, others are left alone.
 * @throws EdgeError `datasetInvalid` naming column or line
 */
export async function openCsv(path: string): Promise<TransitionSource> {
  const header = await firstLine(path);
  const columns = columnsOf(path, header);
  const shape: Shape = {
    observationSize: columns.observations.length,
    actionSize: columns.actions.length,
    marked: columns.marks !== undefined,
  };
  const { rows, provenance } = await sideOf(path);
  if (shape.marked) await refuseCut(path);
  const { size } = await stat(path);
  return {
    path,
    format: 'csv',
    shape,
    // No line is shorter than a digit and a separator for each column.
    rowsAtMost: Math.ceil(size / (2 * columns.count - (shape.marked ? 1 : 0))),
    provenance,
    warnings: [],
    batches: () => sound(counted(read(path, columns, shape, provenance), path, rows), path, new Breaks()),
  };
}

async function firstLine(path: string): Promise<string> {
  const lines = createInterface({ input: createReadStream(path, 'utf8') });
  for await (const line of lines) {
    lines.close();
    return line;
  }
  throw invalid(`${path} is empty`, 'name another file');
}

const REMEDY =
  'a dataset has columns observation_…, action_…, reward, next_observation_…, terminal and timeout, and may have marks';

function columnsOf(path: string, header: string): Columns {
  const names = header
    .replace(/^\ufeff/, '')
    .trimEnd()
    .split(',')
    .map((name) => name.trim());
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalid(`${path}:1: the column "${twice}" is there twice`, REMEDY);
  const starting = (prefix: string) => {
    const found = names.flatMap((name, index) => (name.startsWith(prefix) ? [index] : []));
    if (found.length === 0) throw invalid(`${path}:1: there is no column ${prefix}…`, REMEDY);
    return found;
  };
  const called = (name: string) => {
    const index = names.indexOf(name);
    if (index < 0) throw invalid(`${path}:1: there is no column "${name}"`, REMEDY);
    return index;
  };
  const observations = starting('observation_');
  const nextObservations = starting('next_observation_');
  const paired = observations.every((index, at) => names[nextObservations[at] ?? -1] === `next_${names[index]}`);
  if (!paired || observations.length !== nextObservations.length) {
    throw invalid(`${path}:1: the columns next_observation_… are not those of observation_…`, REMEDY);
  }
  return {
    count: names.length,
    names,
    observations,
    nextObservations,
    actions: starting('action_'),
    reward: called('reward'),
    terminal: called('terminal'),
    timeout: called('timeout'),
    marks: names.includes('marks') ? called('marks') : undefined,
  };
}

const sideSchema = z.object({ rows: z.number().optional(), provenance: z.record(z.string(), z.json()).default({}) });

/** What `CsvWriter` put beside the file; nothing where it comes from elsewhere. */
async function sideOf(path: string): Promise<z.output<typeof sideSchema>> {
  const text = await readFile(`${path}.json`, 'utf8').catch(() => undefined);
  if (text === undefined) return { provenance: {} };
  try {
    return sideSchema.parse(JSON.parse(text));
  } catch (error) {
    throw invalid(
      `${path}.json is not what an export puts beside its file: ${messageOf(error)}`,
      'move it away: it only says where the data come from',
    );
  }
}

/** A cut within the last name of a mark would otherwise read as another mark. */
async function refuseCut(path: string): Promise<void> {
  const { size } = await stat(path);
  const handle = await open(path, 'r');
  try {
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
    if (buffer.toString() === '\n') return;
    throw invalid(`${path} is cut off: its last line has no end`, 'get it once more, or export it anew');
  } finally {
    await handle.close();
  }
}

async function* counted(
  batches: AsyncIterable<Transitions>,
  path: string,
  expected: number | undefined,
): AsyncGenerator<Transitions> {
  let rows = 0;
  for await (const batch of batches) {
    rows += batch.count;
    yield batch;
  }
  if (expected === undefined || rows === expected) return;
  throw invalid(`${path} has ${rows} rows, ${path}.json says ${expected}`, 'get both files once more, or export anew');
}

async function* read(
  path: string,
  columns: Columns,
  shape: Shape,
  provenance: Provenance,
): AsyncGenerator<Transitions> {
  const input = createReadStream(path, 'utf8');
  let batch = allocate(BATCH_ROWS, shape, provenance);
  let count = 0;
  let number = 0;
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      number += 1;
      if (number === 1 || line === '') continue;
      parseLine(line, `${path}:${number}`, columns, batch, count);
      count += 1;
      if (count < BATCH_ROWS) continue;
      yield batch;
      batch = allocate(BATCH_ROWS, shape, provenance);
      count = 0;
    }
  } finally {
    input.destroy();
  }
  if (count > 0) yield rowsOf(batch, 0, count);
}

function parseLine(line: string, where: string, columns: Columns, batch: Transitions, row: number): void {
  const words = line.split(',');
  if (words.length !== columns.count) {
    throw invalid(
      `${where}: ${words.length} columns instead of ${columns.count}`,
      'the line is cut off or has a comma too many',
    );
  }
  const float = (column: number): number => {
    const word = words[column] ?? '';
    const value = Math.fround(Number(word));
    if (word.trim() !== '' && Number.isFinite(value)) return value;
    throw invalid(
      `${where}: ${columns.names[column]} is no finite number of single precision: "${word.slice(0, 40)}"`,
      'leave that row out, and end the episode before it with timeout 1',
    );
  };
  const flag = (column: number): number => {
    const word = words[column]?.trim();
    if (word === '0' || word === '1') return Number(word);
    throw invalid(
      `${where}: ${columns.names[column]} is neither 0 nor 1: "${word?.slice(0, 40)}"`,
      'it has to be one of them',
    );
  };
  const { observationSize, actionSize } = batch;
  for (const [at, column] of columns.observations.entries())
    batch.observations[row * observationSize + at] = float(column);
  for (const [at, column] of columns.actions.entries()) batch.actions[row * actionSize + at] = float(column);
  batch.rewards[row] = float(columns.reward);
  for (const [at, column] of columns.nextObservations.entries()) {
    batch.nextObservations[row * observationSize + at] = float(column);
  }
  batch.terminals[row] = flag(columns.terminal);
  batch.timeouts[row] = flag(columns.timeout);
  if (batch.marks && columns.marks !== undefined)
    batch.marks[row] = parseMarks(words[columns.marks]?.trim() ?? '', where);
}
