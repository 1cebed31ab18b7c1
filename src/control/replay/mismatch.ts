import { decodeRow, encodeRow, ROW_BYTES, type Row } from '../../messages/row.ts';
import { limitNames } from '../../messages/states.ts';
import type { TapedOrder } from '../../messages/tape.ts';
import { type Command, decodePayload } from '../../protocol/messages.gen.ts';
import { reasons } from '../../safety/supervisor.ts';
import type { Actuated } from '../tick.ts';

/** Where a replay and the recording part, as JSON. */
export interface Mismatch {
  readonly what: 'command' | 'row' | 'order';
  /** of the sensor frame */
  readonly sequence: number;
  /** fields that differ: as recorded, and as computed again */
  readonly differs: Readonly<Record<string, { readonly recorded: unknown; readonly replayed: unknown }>>;
  /** what the loop was doing when it was run again */
  readonly replayed: Readonly<Record<string, unknown>>;
}

const plain = (value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);

function differences(recorded: object, replayed: object): Mismatch['differs'] {
  const theirs = new Map(Object.entries(replayed));
  return Object.fromEntries(
    Object.entries(recorded).flatMap(([name, value]) => {
      const other = theirs.get(name);
      const same = JSON.stringify([plain(value)]) === JSON.stringify([plain(other)]);
      return same ? [] : [[name, { recorded: plain(value), replayed: plain(other) }]];
    }),
  );
}

const commandOf = (payload: Uint8Array): Command | undefined => {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const message = decodePayload('command', view, 0);
  return message?.kind === 'command' ? message : undefined;
};

const doing = (tick: Actuated) => ({
  robotState: tick.robotState,
  controller: tick.controller,
  requestedTorque: tick.request.total,
  limits: limitNames(tick.limits),
  conditions: reasons(tick.conditions),
  state: tick.state,
});

/** @returns `undefined` when every byte is the same */
export function mismatchOfCommand(tick: Actuated, replayed: Uint8Array, recorded: Uint8Array): Mismatch | undefined {
  if (Buffer.compare(replayed, recorded) === 0) return undefined;
  const differs = differences(commandOf(recorded) ?? {}, commandOf(replayed) ?? {});
  return { what: 'command', sequence: tick.sequence, differs, replayed: doing(tick) };
}

/** The wall clock is left out. @returns `undefined` when every other byte is the same */
export function mismatchOfRow(replayed: Row, recorded: Uint8Array): Mismatch | undefined {
  const row = decodeRow(recorded);
  const bytes = encodeRow({ ...replayed, wallNs: row?.wallNs ?? 0n });
  // One of the layout before, which is shorter, is compared by what it says.
  const old = row && recorded.length < ROW_BYTES;
  if (Buffer.compare(bytes, old ? encodeRow(row) : recorded) === 0) return undefined;
  return {
    what: 'row',
    sequence: Number(replayed.sequence),
    differs: differences(row ?? {}, decodeRow(bytes) ?? {}),
    replayed: { robotState: replayed.robotState, controller: replayed.controller },
  };
}

export const mismatchOfOrder = (sequence: number, order: TapedOrder, why: string): Mismatch => ({
  what: 'order',
  sequence,
  differs: { [order.order]: { recorded: 'carried out', replayed: why } },
  replayed: {},
});
