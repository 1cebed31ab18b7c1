import { describe, expect, it, vi } from 'vitest';
import { StopReports } from './estop-stages.ts';
import { EventOutbox, type QueuedEvent } from './event-outbox.ts';

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('reports of stops', () => {
  it('name each stage as it comes, and a latch that is not on disk', async () => {
    const events: QueuedEvent[] = [];
    const reports = new StopReports((event) => events.push(event));
    reports.stopped('MQTT', ['a'], { onDisk: Promise.resolve(false), confirmed: new Promise(() => {}) });
    expect(events).toMatchObject([{ stage: 'received', ids: ['a'] }]);
    await settled();
    expect(events[1]).toMatchObject({ stage: 'latched', onDisk: false });
    expect(events).toHaveLength(2);
  });

  it('say nothing of what failed', async () => {
    const events: QueuedEvent[] = [];
    const reports = new StopReports((event) => events.push(event));
    reports.stopped('MQTT', [], {
      onDisk: Promise.reject(new Error('no')),
      confirmed: Promise.reject(new Error('no')),
    });
    await settled();
    expect(events.map((event) => event.stage)).toEqual(['received']);
  });

  it('wait for few promises in a flood, and answer the latest senders all the same', async () => {
    const events: QueuedEvent[] = [];
    const reports = new StopReports((event) => events.push(event));
    let confirm = () => {};
    const shared = new Promise<void>((resolve) => {
      confirm = resolve;
    });
    const waits = vi.spyOn(shared, 'then');
    for (let index = 0; index < 1000; index += 1) {
      reports.stopped('MQTT', [`id${index}`], { onDisk: new Promise(() => {}), confirmed: shared });
    }
    confirm();
    await settled();
    const confirmations = events.filter((event) => event.stage === 'confirmed');
    expect(waits).toHaveBeenCalledTimes(8);
    expect(confirmations).toHaveLength(8);
    expect(confirmations.flatMap((event) => event.ids as string[])).toContain('id999');
  });
});

describe('the outbox of events', () => {
  it('keeps one of a kind, and every id up to a bound', () => {
    const outbox = new EventOutbox();
    for (let index = 0; index < 100; index += 1) outbox.offer({ event: 'e', stage: 's', ids: [index] });
    const next = outbox.next(4);
    expect(next?.event.ids).toEqual(Array.from({ length: 16 }, (_, index) => 84 + index));
    expect(outbox.next(4)).toBeUndefined();
    expect(outbox.counters.eventsMerged).toBe(99);
  });

  it('sends again what was not acknowledged when the connection was lost', () => {
    const outbox = new EventOutbox();
    outbox.offer({ event: 'a' });
    outbox.offer({ event: 'b' });
    const first = outbox.next(4);
    expect(outbox.next(1)).toBeUndefined();
    outbox.next(4);
    outbox.settled(first?.messageId ?? 0, true);
    outbox.rewind();
    expect(outbox.next(4)?.event.event).toBe('b');
    expect(outbox.next(4)).toBeUndefined();
  });

  it('is bounded: the oldest go', () => {
    const outbox = new EventOutbox();
    for (let index = 0; index < 100; index += 1) outbox.offer({ event: `kind ${index}` });
    expect(outbox.counters.eventsLost).toBe(84);
    expect(outbox.next(4)?.event.event).toBe('kind 84');
  });
});
