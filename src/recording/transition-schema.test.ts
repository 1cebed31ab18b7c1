import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyRow } from '../messages/row.testing.ts';
import { CONTROLLER_KINDS, decodeRow, encodeRow, OBSERVATION_FIELD, ROW_BYTES } from '../messages/row.ts';
import { LIMITS, ROBOT_STATES } from '../messages/states.ts';
import { taskNames } from '../robot/tasks/tasks.ts';
import { CONDITION_IDS, conditionBit } from '../safety/failsafe-table.ts';
import { cdrOfRow, rosFieldName, rowOfCdr, TRANSITION_SCHEMA } from './transition-schema.ts';

const reader = new MessageReader<Record<string, unknown>>(parse(TRANSITION_SCHEMA, { ros2: true }));

describe('a row as a ROS 2 message', () => {
  it('is read by a stranger as we read it', () => {
    fc.assert(
      fc.property(anyRow, (row) => {
        const bytes = encodeRow(row);
        const theirs = reader.readMessage(cdrOfRow(bytes));
        const ours = decodeRow(bytes);
        if (ours === undefined) throw new Error('a row that cannot be decoded');
        const { task, robotState, controller, done, timeout, measured, observation: all, joints = [], ...plain } = ours;
        const observation = all.slice(0, OBSERVATION_FIELD);
        const rest = all.slice(OBSERVATION_FIELD);
        for (const [name, value] of Object.entries(plain)) {
          const field = theirs[rosFieldName(name)];
          expect([name, field instanceof Float32Array ? Array.from(field) : field]).toEqual([name, value]);
        }
        expect(Array.from(theirs.observation as Float32Array).slice(0, observation.length)).toEqual(observation);
        expect(theirs.observation).toHaveLength(OBSERVATION_FIELD);
        expect(Array.from(theirs.observation_rest as Float32Array)).toEqual(rest);
        expect(Array.from(theirs.joints as Float32Array)).toEqual(joints);
        expect(theirs.observation_length).toBe(all.length);
        expect(taskNames[theirs.task as number]).toBe(task);
        expect(ROBOT_STATES[theirs.robot_state as number]).toBe(robotState);
        expect(CONTROLLER_KINDS[theirs.controller as number]).toBe(controller);
        expect([theirs.done, theirs.timeout, theirs.measured]).toEqual([done, timeout, measured].map(Number));
        expect(reader.lastReadByteLength()).toBe(4 + bytes.length);
      }),
    );
  });

  it('is the row with four bytes in front, and comes back as it was', () => {
    fc.assert(
      fc.property(anyRow, (row) => {
        const bytes = encodeRow(row);
        const cdr = cdrOfRow(bytes);
        expect(Array.from(cdr.subarray(0, 4))).toEqual([0, 1, 0, 0]);
        expect(rowOfCdr(cdr)).toEqual(bytes);
        expect(cdr.buffer).not.toBe(bytes.buffer);
      }),
    );
    expect(rowOfCdr(new Uint8Array(ROW_BYTES))).toBeUndefined();
    expect(rowOfCdr(new Uint8Array(4 + ROW_BYTES))).toBeUndefined();
  });

  it('names what its numbers stand for', () => {
    const constants = parse(TRANSITION_SCHEMA, { ros2: true })[0]?.definitions.filter((field) => field.isConstant);
    const named = new Map(constants?.map(({ name, value }) => [name, value]));
    expect(named.get('TASK_MOVING_STRAIGHT')).toBe(taskNames.indexOf('moving-straight'));
    expect(named.get('ROBOT_STATE_ESTOPPED')).toBe(ROBOT_STATES.indexOf('estopped'));
    expect(named.get('CONTROLLER_POLICY')).toBe(CONTROLLER_KINDS.indexOf('policy'));
    expect(named.get('LIMIT_SLEW')).toBe(LIMITS.indexOf('slew'));
    for (const [bit, id] of CONDITION_IDS.entries()) {
      expect(named.get(`CONDITION_${id.toUpperCase().replaceAll('-', '_')}`)).toBe(bit);
      expect(conditionBit(id)).toBe(1n << BigInt(bit));
    }
  });
});
