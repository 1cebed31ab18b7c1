import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeSnapshot, encodeSnapshot, type Snapshot } from './snapshot.ts';

/** What a class does not have to remember, and why not. */
const NOT_REMEMBERED: Readonly<Record<string, readonly string[]>> = {
  'control/facts/rate-meter.ts': [],
  'control/attitude-filter.ts': [],
  'control/estimate.ts': [],
  'control/observe.ts': [],
  // designed anew from rate and mode: what `prepare` and `begin` do
  'control/controllers/explorer.ts': [],
  'random.ts': [],
  'control/controllers/controllers.ts': ['#delayLimits', '#framesPerDecision'],
  // facts from outside, which are on the tape
  'control/facts/fact-gatherer.ts': [
    'linkOpen',
    'silent',
    'shuttingDown',
    'stopInputLost',
    'stopsHeld',
    '#restartsAtArming',
    'line',
  ],
  // stops that are repeated and resets that are under way: their effects are on the tape
  'control/robot-control.ts': ['#echoedAt', '#clearing', '#halts', '#orders'],
  'safety/imu-watch.ts': [],
  'safety/wheel-watch.ts': [],
  'safety/encoder-watch.ts': [],
  'safety/drive-watch.ts': [],
  'safety/blend.ts': [],
};

const text = (file: string) => readFileSync(join(import.meta.dirname, '..', '..', file), 'utf8');

describe('a snapshot of the loop', () => {
  it.each(Object.keys(NOT_REMEMBERED))('holds every field of %s that changes', (file) => {
    const source = text(file);
    // Fields that are not readonly; one line each, right inside of a class.
    const fields = [...source.matchAll(/^ {2}(#?\w+)(?:(?: =|\??:) .*)?;$/gm)].map(([, name]) => name ?? '');
    const remembered = [...source.matchAll(/^ {2}(?:remember|recall)\([\s\S]*?^ {2}\}/gm)].map(([body]) => body).join();
    const forgotten = fields.filter((name) => !remembered.includes(`this.${name}`));
    expect(remembered).not.toBe('');
    expect(forgotten.sort()).toEqual([...(NOT_REMEMBERED[file] ?? [])].sort());
  });

  it('comes back with the numbers that JSON does not have', () => {
    const odd = { a: Number.NaN, b: -0, c: Number.NEGATIVE_INFINITY, d: 2n ** 63n, e: [1.1, 5e-324], f: 'text' };
    const snapshot = { run: {}, outside: {}, memory: odd } as unknown as Snapshot;
    const back = decodeSnapshot(encodeSnapshot(snapshot))?.memory as unknown as typeof odd;
    expect(back).toEqual(odd);
    expect(Object.is(back.b, -0)).toBe(true);
    expect(decodeSnapshot(Uint8Array.of(1, 2))).toBeUndefined();
  });
});
