import { describe, expect, it } from 'vitest';
import { stateMessage, telemetryMessage } from '../messages/mqtt.ts';
import { stateOf } from '../messages/mqtt-state.ts';
import { decodeRow, encodeRow } from '../messages/row.ts';
import { statusOf } from '../messages/status.testing.ts';
import { statusSchema } from '../messages/status.ts';
import { rowNumber } from '../recording/rows.testing.ts';
import { CONDITION_IDS, conditionBit, FAILSAFE_TABLE } from '../safety/failsafe-table.ts';
import { reasons } from '../safety/supervisor.ts';
import { telemetryOf } from './telemetry.ts';

const sample = decodeRow(rowNumber(1));
if (!sample) throw new Error('no row');

describe('every condition is named wherever it is told', () => {
  it.each(CONDITION_IDS)('%s, in rows and in telemetry', (id) => {
    const row = decodeRow(encodeRow({ ...sample, conditions: conditionBit(id) }));
    if (!row) throw new Error('no row');
    expect(reasons(row.conditions)).toEqual([id]);
    const telemetry = telemetryMessage.parse(telemetryOf(row, { ...row, battery: 24 }));
    expect(telemetry.conditions).toEqual([id]);
  });

  it('all of them at once, in rows, telemetry, status and state', () => {
    const all = CONDITION_IDS.reduce((mask, id) => mask | conditionBit(id), 0n);
    const row = decodeRow(encodeRow({ ...sample, conditions: all }));
    if (!row) throw new Error('no row');
    expect(telemetryOf(row, { ...row, battery: 24 }).conditions).toEqual(CONDITION_IDS);
    const active = FAILSAFE_TABLE.map(({ id, action, says, clears, remedy }) => ({ id, action, says, clears, remedy }));
    const status = statusSchema.parse(statusOf({ reasons: active }));
    const state = stateMessage.parse(stateOf(status, { on: true, rows: 1, problem: '' }, 1));
    if (!state.online) throw new Error('offline');
    expect(state.reasons.map(({ id }) => id)).toEqual(CONDITION_IDS);
  });
});
