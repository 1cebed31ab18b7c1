import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TickWatchdog } from './tick-watchdog.ts';

const PATIENCE = 2000;
const WATCHED = { open: true, silent: false, accepted: true };
const GOOD = { written: true, superseded: false };

function setUp(watchdog: number | 'nobody' = PATIENCE) {
  const told: string[] = [];
  const clock = { now: 0, takes: true };
  const tell = (...fields: readonly string[]) => {
    if (clock.takes) told.push(...fields);
    return clock.takes;
  };
  return {
    told,
    clock,
    dog: new TickWatchdog({
      manager: { tell, watchdog: watchdog === 'nobody' ? undefined : watchdog },
      now: () => clock.now,
    }),
  };
}

describe('the watchdog of the control loop', () => {
  it('watches while frames are due, and no longer', () => {
    const { told, dog } = setUp();
    expect(dog.atStart).toEqual(['WATCHDOG_USEC=0']);
    dog.changed({ open: true });
    expect(told).toEqual([]);
    dog.changed({ accepted: true });
    expect(told).toEqual(['WATCHDOG_USEC=2000000']);
    dog.changed({ silent: true });
    dog.changed({ open: false });
    expect(told).toEqual(['WATCHDOG_USEC=2000000', 'WATCHDOG_USEC=0']);
  });

  it('is fed by completed ticks, four times in a period and not by each', () => {
    const { told, clock, dog } = setUp();
    dog.changed(WATCHED);
    told.length = 0;
    for (clock.now = 0; clock.now <= PATIENCE; clock.now += 5) dog.completed(GOOD);
    expect(told).toEqual(Array.from({ length: 4 }, () => 'WATCHDOG=1'));
  });

  it('is not fed by a tick whose command did not go out whole, nor by one that was history already', () => {
    const { told, clock, dog } = setUp();
    dog.changed(WATCHED);
    told.length = 0;
    clock.now = PATIENCE;
    dog.completed({ written: false, superseded: false });
    dog.completed({ written: true, superseded: true });
    expect(told).toEqual([]);
  });

  it('says again with the next tick what could not be said', () => {
    const { told, clock, dog } = setUp();
    clock.takes = false;
    dog.changed(WATCHED);
    clock.takes = true;
    dog.changed({});
    clock.now = PATIENCE;
    clock.takes = false;
    dog.completed(GOOD);
    clock.takes = true;
    dog.completed(GOOD);
    expect(told).toEqual(['WATCHDOG_USEC=2000000', 'WATCHDOG=1']);
  });

  it('says nothing where nobody watches', () => {
    const { told, dog } = setUp('nobody');
    dog.changed(WATCHED);
    dog.completed(GOOD);
    expect([...told, ...dog.atStart]).toEqual([]);
  });

  it('whatever happens in whatever order, without a good tick it is never fed, and while frames are due it is never suspended', () => {
    const happening = fc.oneof(
      fc.record({ open: fc.boolean() }),
      fc.record({ silent: fc.boolean() }),
      fc.record({ accepted: fc.boolean() }),
      fc.record({ written: fc.boolean(), superseded: fc.boolean() }),
      fc.record({ passes: fc.nat(3000) }),
    );
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 60 }), (happenings) => {
        const { told, clock, dog } = setUp();
        const due = { open: false, silent: false, accepted: false };
        let watched = false;
        for (const one of happenings) {
          const before = told.length;
          if ('passes' in one) clock.now += one.passes;
          else if ('written' in one) dog.completed(one);
          else {
            Object.assign(due, one);
            dog.changed(one);
          }
          const now = told.slice(before);
          if (now.includes('WATCHDOG=1')) {
            expect('written' in one && one.written && !one.superseded && watched).toBe(true);
          }
          for (const field of now) {
            if (field.startsWith('WATCHDOG_USEC=')) watched = field !== 'WATCHDOG_USEC=0';
          }
          expect(watched).toBe(due.open && !due.silent && due.accepted);
        }
      }),
    );
  });
});
