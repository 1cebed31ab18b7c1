import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowOutbox, type RowReader } from './row-outbox.ts';

/** A reader that takes so many rows until it is read. */
class Reader implements RowReader {
  readonly got: number[] = [];
  room = Number.POSITIVE_INFINITY;
  ready() {
    return this.room > 0;
  }
  write(bytes: Uint8Array) {
    this.room -= 1;
    this.got.push(bytes[0] ?? Number.NaN);
  }
}

const row = (value: number) => Uint8Array.of(value);

function filled(rows: number, capacity = 100): RowOutbox {
  const outbox = new RowOutbox(capacity);
  for (let sequence = 0; sequence < rows; sequence++) outbox.push(sequence, row(sequence));
  return outbox;
}

const upTo = (count: number, from = 0) => Array.from({ length: count - from }, (_, index) => from + index);

describe('RowOutbox', () => {
  it('writes a few rows a tick, however many wait', () => {
    const outbox = filled(50);
    const reader = new Reader();
    outbox.attach(reader);
    outbox.pump();
    expect(reader.got).toEqual(upTo(8));
    for (let tick = 0; tick < 10; tick++) outbox.pump();
    expect(reader.got).toEqual(upTo(50));
  });

  it('writes nothing to a reader without room, and goes on where it was', () => {
    const outbox = filled(10);
    const reader = new Reader();
    reader.room = 3;
    outbox.attach(reader);
    outbox.pump();
    outbox.pump();
    expect(reader.got).toEqual([0, 1, 2]);
    reader.room = 100;
    outbox.pump();
    expect(reader.got).toEqual(upTo(10));
  });

  it('writes to the next reader whatever the one before did not acknowledge', () => {
    const outbox = filled(20);
    const first = new Reader();
    outbox.attach(first);
    for (let tick = 0; tick < 5; tick++) outbox.pump();
    outbox.acknowledge(11);
    outbox.detach();
    const second = new Reader();
    outbox.attach(second);
    for (let tick = 0; tick < 5; tick++) outbox.pump();
    expect(second.got).toEqual(upTo(20, 12));
  });

  it('keeps what was written until it is acknowledged', () => {
    const outbox = filled(5);
    outbox.attach(new Reader());
    outbox.pump();
    expect(outbox.kept).toBe(5);
    outbox.acknowledge(4);
    expect(outbox.kept).toBe(0);
    expect(outbox.counters.acknowledged).toBe(5);
  });

  it('lets a block of the tape go when a row that came after it is acknowledged, and not before', () => {
    const outbox = new RowOutbox(100);
    const got: string[] = [];
    const reader = {
      ready: () => true,
      write: (bytes: Uint8Array) => got.push(`row ${bytes[0]}`),
      writeTape: (bytes: Uint8Array) => got.push(`tape ${bytes[0]}`),
    };
    outbox.push(5, row(5));
    outbox.pushTape(row(0));
    outbox.push(6, row(6));
    outbox.pushTape(row(1));
    outbox.attach(reader);
    outbox.pump();
    expect(got).toEqual(['row 5', 'tape 0', 'row 6', 'tape 1']);
    outbox.acknowledge(5);
    expect(outbox.kept).toBe(3);
    outbox.acknowledge(6);
    expect(outbox.kept).toBe(1);
    expect(outbox.counters).toMatchObject({ made: 2, sent: 2, acknowledged: 2, lost: 0, tapeMade: 2, tapeLost: 0 });
    // Rows may be missing in between: the next one that comes speaks for the tape all the same.
    outbox.push(9, row(9));
    outbox.acknowledge(9);
    expect(outbox.kept).toBe(0);
  });

  it('keeps no more than so many bytes, whatever comes', () => {
    const outbox = new RowOutbox();
    const block = new Uint8Array(1 << 16);
    for (let number = 0; number < 1000; number++) outbox.pushTape(block);
    expect(outbox.kept * block.length).toBeLessThanOrEqual(24 << 20);
    expect(outbox.counters).toMatchObject({ tapeMade: 1000, tapeLost: 1000 - outbox.kept, lost: 0 });
  });

  it('counts what it had to push out', () => {
    const outbox = filled(130, 100);
    expect(outbox.counters.lost).toBe(30);
    const reader = new Reader();
    outbox.attach(reader);
    for (let tick = 0; tick < 20; tick++) outbox.pump();
    expect(reader.got).toEqual(upTo(130, 30));
  });

  it('neither loses nor invents a row, whatever the reader does', () => {
    const event = fc.oneof(
      fc.constant('push' as const),
      fc.constant('pump' as const),
      fc.constant('reattach' as const),
      fc.nat(60).map((sequence) => ({ acknowledge: sequence })),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), (events) => {
        const outbox = new RowOutbox(10);
        const seen = new Set<number>();
        let next = 0;
        let acknowledged = -1;
        let reader = new Reader();
        outbox.attach(reader);
        for (const happened of events) {
          if (happened === 'push') outbox.push(next, row(next++));
          else if (happened === 'pump') outbox.pump();
          else if (happened === 'reattach') {
            reader = new Reader();
            outbox.attach(reader);
          } else {
            // A reader acknowledges only what it has got.
            const upTo = Math.min(happened.acknowledge, ...[Math.max(-1, ...seen)]);
            outbox.acknowledge(upTo);
            acknowledged = Math.max(acknowledged, upTo);
          }
          for (const got of reader.got) seen.add(got);
          const sorted = [...reader.got].sort((a, b) => a - b);
          expect(reader.got).toEqual(sorted);
        }
        for (let tick = 0; tick < 50; tick++) outbox.pump();
        for (const got of reader.got) seen.add(got);
        expect(seen.size + outbox.counters.lost).toBeGreaterThanOrEqual(next);
        expect(Math.max(-1, ...seen)).toBeLessThan(next);
      }),
    );
  });
});
