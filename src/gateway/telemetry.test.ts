import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type TelemetryMessage, telemetryMessage } from '../messages/mqtt.ts';
import { offlineState, stateOf } from '../messages/mqtt-state.ts';
import { anyRow } from '../messages/row.testing.ts';
import type { Row } from '../messages/row.ts';
import { limitBit } from '../messages/states.ts';
import { statusOf } from '../messages/status.testing.ts';
import { conditionBit } from '../safety/failsafe-table.ts';
import { StatePublisher } from './state-publisher.ts';
import { TelemetryThinner, telemetryOf } from './telemetry.ts';

const [sample] = fc.sample(anyRow, { numRuns: 1, seed: 1 });

const rowAt = (mcuTimeUs: number, over: Partial<Row> = {}): Row => {
  if (!sample) throw new Error('no row');
  return { ...sample, mcuTimeUs: BigInt(mcuTimeUs), limits: 0, conditions: 0n, latencyUs: 100, ...over };
};

function thinned() {
  const messages: TelemetryMessage[] = [];
  return { thinner: new TelemetryThinner((message) => messages.push(message)), messages };
}

describe('telemetry', () => {
  it('is what its schema says, whatever is in the row', () => {
    fc.assert(
      fc.property(anyRow, (row) => {
        const message = telemetryOf(row, { ...row, battery: Number.NaN });
        expect(telemetryMessage.safeParse(JSON.parse(JSON.stringify(message))).success).toBe(true);
      }),
    );
  });

  it('says null for a torque that no motor measured', () => {
    const message = telemetryOf(rowAt(0, { measured: false, measuredTorque: 3 }), { ...rowAt(0), battery: 24 });
    expect(message.torque.measured).toBeNull();
    expect(message.battery).toBe(24);
  });

  it.each([
    [200, 5000],
    [500, 2000],
    [1000, 1000],
  ])('goes out at 20 Hz by the MCU clock from rows at %i Hz', (rate, period) => {
    const { thinner, messages } = thinned();
    for (let index = 0; index < 10 * rate; index += 1) thinner.row(rowAt(index * period));
    expect(messages).toHaveLength(200);
    expect(messages.map((message) => message.mcuTimeUs)).toEqual(Array.from({ length: 200 }, (_, k) => k * 50_000));
  });

  it('keeps its rate when frames jitter', () => {
    const { thinner, messages } = thinned();
    for (let index = 0; index < 2000; index += 1) thinner.row(rowAt(index * 5000 + (index % 3) * 400));
    expect(messages).toHaveLength(200);
  });

  it('never bursts after a gap, and goes on when the clock begins anew', () => {
    const { thinner, messages } = thinned();
    for (const time of [0, 5000, 10_000_000, 10_005_000, 10_050_000, 200, 5200, 50_200]) thinner.row(rowAt(time));
    expect(messages.map((message) => message.mcuTimeUs)).toEqual([0, 10_000_000, 10_050_000, 200, 50_200]);
  });

  it('names what acted on rows that were left out, once', () => {
    const { thinner, messages } = thinned();
    thinner.battery = 23.5;
    thinner.row(rowAt(0));
    thinner.row(rowAt(5000, { limits: limitBit('slew'), latencyUs: 900 }));
    thinner.row(rowAt(10_000, { conditions: conditionBit('battery-low') }));
    thinner.row(rowAt(50_000));
    thinner.row(rowAt(100_000));
    expect(messages).toMatchObject([
      { limits: [], conditions: [], latencyUs: 100, battery: 23.5 },
      { limits: ['slew'], conditions: ['battery-low'], latencyUs: 900 },
      { limits: [], conditions: [], latencyUs: 100 },
    ]);
  });
});

describe('the state', () => {
  it('goes out at once when it changes, and every two seconds when not', () => {
    const published: string[] = [];
    let now = 0;
    const publisher = new StatePublisher(
      (state) => published.push(`${now} ${state.online ? state.state : state.problem}`),
      () => now,
    );
    const recording = { on: true, rows: 0, problem: '' };
    const update = (at: number, state: 'disarmed' | 'running') => {
      now = at;
      publisher.update(stateOf(statusOf({ state }), { ...recording, rows: at }, at));
    };
    update(0, 'disarmed');
    update(100, 'disarmed');
    update(200, 'running');
    update(300, 'running');
    update(2199, 'running');
    update(2200, 'running');
    now = 2300;
    publisher.update(offlineState('control does not answer', now));
    expect(published).toEqual(['0 disarmed', '200 running', '2200 running', '2300 control does not answer']);
  });
});
