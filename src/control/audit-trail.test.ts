import { describe, expect, it } from 'vitest';
import { BURST } from '../audit/repeats.ts';
import { AuditTrail } from './audit-trail.ts';

interface Recorded {
  readonly event: string;
  readonly who: string;
  readonly details: Readonly<Record<string, unknown>>;
}

function rig() {
  const recorded: Recorded[] = [];
  const log = {
    record: (event: string, who: string, details: Readonly<Record<string, unknown>> = {}) =>
      void recorded.push({ event, who, details }),
    stop: async () => {},
  };
  const trail = new AuditTrail(log, () => 0);
  return { recorded, trail };
}

describe('the audit trail of control', () => {
  it('tells who did what, and what changed', () => {
    const { recorded, trail } = rig();
    trail.take({ event: 'command-accepted', command: { name: 'reset' }, keyId: 'abc' });
    trail.take({ event: 'estop', source: 'anna', stop: 1 });
    trail.take({ event: 'conditions', active: ['estop', 'tilt'] });
    trail.take({ event: 'conditions', active: ['tilt', 'battery-low'] });
    expect(recorded).toEqual([
      { event: 'command-accepted', who: 'abc', details: { command: { name: 'reset' } } },
      { event: 'estop', who: 'anna', details: { stop: 1 } },
      { event: 'conditions', who: '', details: { raised: ['estop', 'tilt'], cleared: [], active: ['estop', 'tilt'] } },
      {
        event: 'conditions',
        who: '',
        details: { raised: ['battery-low'], cleared: ['estop'], active: ['tilt', 'battery-low'] },
      },
    ]);
  });

  it('writes each stop that was not in force and each order with a signature, however many there are', () => {
    const { recorded, trail } = rig();
    for (let stop = 1; stop <= 100; stop++) {
      trail.take({ event: 'estop', source: 'anna', stop });
      trail.take({ event: 'reset' });
      trail.take({ event: 'command-accepted', command: { name: 'reset' }, keyId: 'abc' });
    }
    expect(recorded).toHaveLength(300);
  });

  it('counts what a stranger repeats, whatever words and numbers the stranger puts into it', async () => {
    const { recorded, trail } = rig();
    for (let count = 0; count < 1000; count++) {
      trail.take({ event: 'estop-again', source: `stranger ${count}` });
      trail.take({ event: 'command-refused', reason: 'bad-signature' });
      trail.take({ event: 'confirmation-refused', stop: count });
      trail.take({ event: 'conditions', active: count % 2 === 0 ? ['overrun'] : [] });
      trail.take({ event: 'link', open: count % 2 === 0, path: '/dev/x', problem: `problem ${count}` });
    }
    expect(recorded.length).toBeLessThanOrEqual(7 * BURST);
    await trail.stop(0);
    expect(recorded.length).toBeLessThanOrEqual(7 * (BURST + 1));
    const times = (event: string) =>
      recorded
        .filter((one) => one.event === event)
        .reduce((sum, { details }) => sum + (typeof details.repeats === 'number' ? details.repeats : 1), 0);
    for (const event of ['estop-again', 'command-refused', 'confirmation-refused', 'conditions', 'link']) {
      expect(times(event), event).toBe(1000);
    }
  });

  it('keeps refusals of different kinds apart, and those of different operators', () => {
    const { recorded, trail } = rig();
    for (const reason of ['unknown-key', 'wrong-role']) {
      for (const keyId of ['abc', 'def']) {
        for (let count = 0; count < 10; count++) trail.take({ event: 'command-refused', reason, keyId });
      }
    }
    expect(recorded).toHaveLength(4 * BURST);
  });
});
