import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAYLOAD_SIZE } from '../protocol/messages.gen.ts';
import { writeRecords } from './tape.testing.ts';
import { readRecords, type TapedFrame, type TapeRecord } from './tape.ts';
import { decodeTapeBlock, encodeTapeBlock } from './tape-block.ts';
import { TapeDamage } from './tape-bytes.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const time = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });

const anyFrame: fc.Arbitrary<TapedFrame> = fc.record({
  payload: bytes(PAYLOAD_SIZE.sensors),
  sequence: fc.nat({ max: 2 ** 40 }),
  mcuTimeUs: fc.nat({ max: 2 ** 45 }),
  // Within a block time does not jump by months.
  arrivedNs: fc.nat({ max: 2 ** 40 }).map((later) => 2n ** 60n + BigInt(later)),
  lost: fc.nat({ max: 40_000 }),
  first: fc.boolean(),
  superseded: fc.boolean(),
});

const anyRecord: fc.Arbitrary<TapeRecord> = fc.oneof(
  fc.array(anyFrame, { maxLength: 5 }).map((frames) => ({ is: 'chunk' as const, frames })),
  fc
    .record({
      latencyNs: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
      policyNs: fc.option(fc.nat({ max: 2 ** 40 }), { nil: undefined }),
      written: fc.boolean(),
      command: bytes(PAYLOAD_SIZE.command),
    })
    .map((answer) => ({ is: 'answer' as const, answer })),
  fc
    .dictionary(
      fc.string({ minLength: 1 }).filter((name) => name !== '__proto__'),
      fc.oneof(
        fc.double().filter((value) => !Object.is(value, -0)),
        fc.boolean(),
        fc.constantFrom('waiting', 'accepted'),
      ),
    )
    .map((facts) => ({ is: 'facts' as const, facts: { ...facts } })),
  fc.string().map((source) => ({ is: 'order' as const, order: { order: 'estop' as const, source } })),
  fc.uint8Array({ maxLength: 500 }).map((state) => ({ is: 'state' as const, state })),
);

/** Views and buffers look alike. */
const plain = (records: Iterable<TapeRecord>) =>
  JSON.parse(
    JSON.stringify([...records], (_, value) => {
      if (typeof value === 'bigint') return String(value);
      if (typeof value === 'number' && !Number.isFinite(value)) return `${value}`;
      return value instanceof Uint8Array || value?.type === 'Buffer' ? [...(value.data ?? value)] : value;
    }),
  );

describe('a tape', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { maxLength: 40 }), (records) => {
        expect(plain(readRecords(writeRecords(records)))).toEqual(plain(records));
      }),
    );
  });

  it('that is cut or changed is read to its damage, and never throws anything else', () => {
    fc.assert(
      fc.property(
        fc.array(anyRecord, { minLength: 1, maxLength: 10 }),
        fc.nat(),
        fc.nat({ max: 255 }),
        (records, at, by) => {
          const written = writeRecords(records);
          const changed = written.slice();
          changed[at % changed.length] = (changed[at % changed.length] ?? 0) ^ by;
          for (const damaged of [written.subarray(0, at % (written.length + 1)), changed]) {
            try {
              for (const _ of readRecords(damaged));
            } catch (error) {
              expect(error).toBeInstanceOf(TapeDamage);
            }
          }
        },
      ),
    );
  });

  it('comes in blocks that know their place', () => {
    fc.assert(
      fc.property(
        time,
        time,
        time,
        time,
        fc.uint8Array({ maxLength: 300 }),
        (boot, number, wallNs, sequence, records) => {
          const block = { boot, number, wallNs, sequence, records };
          const encoded = encodeTapeBlock(block);
          expect(decodeTapeBlock(encoded)).toEqual(block);
          expect(decodeTapeBlock(encoded.subarray(0, encoded.length - 1))).toBeUndefined();
        },
      ),
    );
  });
});
