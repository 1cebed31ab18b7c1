import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { complain, say } from '../../src/commands/output.ts';
import { residentMegabytes } from '../process-family.ts';
import { Belongings } from './children.ts';

/** An hour of the robot's time, unless the environment says otherwise [min]. */
const MINUTES = Number(process.env.H2O_BENCH_MINUTES ?? 60);
const SAMPLE_INTERVAL = 2000;
const PROCESSES = ['record', 'robot-sim', 'control', 'gateway'] as const;

interface Sample {
  readonly transitions: number;
  /** resident memory of each process [MB] */
  readonly memory: ReadonlyMap<string, number>;
}

const cli = new URL('../../dist/h2o-edge.cjs', import.meta.url).pathname;

/**
 * An hour of collecting on the twin with noise under which it falls and is lifted, as fast as this machine: how much faster
 * than the robot's time, and what memory every process holds when a tenth, half and all of it is over.
 */
export async function collecting(): Promise<object> {
  const belongings = new Belongings();
  const samples: Sample[] = [];
  try {
    const out = join(belongings.folder(), 'collected');
    const words = [
      'record',
      '--task',
      'standing-still',
      '--minutes',
      String(MINUTES),
      '--noise',
      'falling',
      '--seed',
      '1',
    ];
    const began = performance.now();
    const child = spawn(process.execPath, [cli, ...words, '--simulate', '--gap', 'twin-d', '--out', out, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    belongings.add(() => void child.kill('SIGTERM'));
    let transitions = 0;
    createInterface({ input: child.stderr }).on('line', (line) => {
      complain(line);
      transitions = Number(/(\d+) transitions/.exec(line)?.[1] ?? transitions);
    });
    const sampling = setInterval(
      () => samples.push({ transitions, memory: residentMegabytes(child.pid ?? 0) }),
      SAMPLE_INTERVAL,
    );
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const said = await text(child.stdout);
    const code = await ended;
    clearInterval(sampling);
    const result = JSON.parse(said.trim().split('\n').at(-1) ?? '{}');
    const seconds = (performance.now() - began) / 1000;
    const figures = {
      ok: result.ok === true && code === 0,
      robotSeconds: result.seconds,
      timesRealTime: round(result.seconds / seconds),
      transitions: result.transitions,
      episodes: result.episodes,
      falls: result.falls,
      lifts: result.lifts,
      coverage: result.coverage,
      rowsLost: result.rowsLost,
      memoryMb: Object.fromEntries(PROCESSES.map((name) => [name, course(samples, name)])),
    };
    say(JSON.stringify(figures, null, 2));
    return figures;
  } finally {
    await belongings.end();
  }
}

/** What one process held after a tenth, the half and the whole of the time, and the most in each half. */
function course(samples: readonly Sample[], name: string) {
  const held = samples.map(({ memory }) => memory.get(name) ?? Number.NaN).filter(Number.isFinite);
  const at = (share: number) => held[Math.min(held.length - 1, Math.floor(share * held.length))] ?? null;
  const half = Math.floor(held.length / 2);
  return {
    start: at(0.1),
    middle: at(0.5),
    end: at(1),
    mostInFirstHalf: Math.max(...held.slice(0, half)),
    mostInSecondHalf: Math.max(...held.slice(half)),
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;
