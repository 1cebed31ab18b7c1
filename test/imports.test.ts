import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

/** The rooms, from the top of the house to its foundations. Imports point down this list, never up. */
const ROOMS = [
  'cli',
  'commands',
  'control',
  'gateway',
  'console',
  'experiments',
  'trainer',
  'learning',
  'simulation',
  'dataset',
  'recording',
  'safety',
  'policy',
  'messages',
  'protocol',
  'audit',
  'keys',
  'robot',
  // The ground that every room stands on: single files of src/.
  'allowance',
  'figure',
  'random',
  'histogram',
  'yaml-file',
  'service-manager',
  'errors',
];

/** What a robot's own two processes must not need: it is not installed there. */
const OFF_BOARD = ['console', 'experiments', 'trainer', 'learning', 'simulation'];

interface Import {
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** erased by the compiler */
  readonly typeOnly: boolean;
  /** loaded only when that line is reached */
  readonly lazy: boolean;
}

const src = join(import.meta.dirname, '..', 'src');

const roomOf = (file: string): string => (file.split('/')[0] ?? '').replace(/\.ts$/, '');

const sources = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !/\.(test|testing)\.ts$/.test(file))
  .sort();

const imports: Import[] = sources.flatMap((file) => {
  const text = readFileSync(join(src, file), 'utf8');
  const found = text.matchAll(/(import|export)(\s+type)?[^;'"]*?from '(\.[^']+)'|(import)\('(\.[^']+)'\)/g);
  return [...found].map((match) => {
    const target = relative(src, join(src, dirname(file), match[3] ?? match[5] ?? ''));
    return { file, from: roomOf(file), to: target, typeOnly: match[2] !== undefined, lazy: match[4] !== undefined };
  });
});

describe('the rooms', () => {
  it('are all on the list', () => {
    expect([...new Set(sources.map(roomOf))].filter((room) => !ROOMS.includes(room))).toEqual([]);
  });

  it('import only downwards', () => {
    const upward = imports.filter(({ from, to }) => ROOMS.indexOf(roomOf(to)) < ROOMS.indexOf(from));
    expect(upward.map(({ file, to }) => `${file} imports ${to}`)).toEqual([]);
  });

  it('control and gateway import nothing of each other and nothing that is not on the robot', () => {
    const forbidden = imports.filter(({ from, to }) => {
      const room = roomOf(to);
      if (from === 'control') return room === 'gateway' || OFF_BOARD.includes(room);
      return from === 'gateway' && (room === 'control' || OFF_BOARD.includes(room));
    });
    expect(forbidden.map(({ file, to }) => `${file} imports ${to}`)).toEqual([]);
  });

  it('have no imports in a circle', () => {
    const edges = new Map<string, string[]>();
    for (const { file, to, typeOnly } of imports) if (!typeOnly) edges.set(file, [...(edges.get(file) ?? []), to]);
    const done = new Set<string>();
    const circles: string[] = [];
    const walk = (file: string, path: readonly string[]) => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      else if (!done.has(file)) {
        for (const next of edges.get(file) ?? []) walk(next, [...path, file]);
        done.add(file);
      }
    };
    for (const file of sources) walk(file, []);
    expect(circles).toEqual([]);
  });
});

describe("a robot's computer", () => {
  it('can start the command line without the simulator: nothing reaches it but lazily', () => {
    const reached = new Set<string>();
    const walk = (file: string) => {
      if (reached.has(file)) return;
      reached.add(file);
      for (const { to, typeOnly, lazy } of imports.filter((one) => one.file === file)) if (!typeOnly && !lazy) walk(to);
    };
    walk('cli.ts');
    // The command line loads each command when it is asked for.
    for (const { file, to } of imports) if (file === 'cli.ts') walk(to);
    expect(reached.size).toBeGreaterThan(50);
    expect([...reached].filter((file) => OFF_BOARD.includes(roomOf(file)))).toEqual([]);
  });
});

describe('the port', () => {
  it('is opened in one file, and commands are put on the wire in one', () => {
    const mentions = (what: RegExp) => sources.filter((file) => what.test(readFileSync(join(src, file), 'utf8')));
    expect(mentions(/new SerialPort\(/)).toEqual(['control/mcu/link.ts']);
    expect(mentions(/as SafeCommand/)).toEqual(['safety/guard.ts']);
    expect(mentions(/encode\(command/)).toEqual(['control/actuate.ts']);
  });
});
