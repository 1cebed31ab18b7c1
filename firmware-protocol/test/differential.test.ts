import { randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { FrameDecoder } from '../../src/protocol/frame.ts';
import { encodePayload, MessageType, PAYLOAD_SIZE } from '../../src/protocol/messages.gen.ts';
import { buildFolder } from './build-folder.ts';
import { buildDriver, CDecoder, WORDS_PER_STREAM } from './c-driver.ts';
import { has } from './c-toolchain.ts';
import { StreamMaker } from './stream-maker.ts';

/** Over a million streams, good, broken and mixed: both decoders accept the same frames and count the same errors. */

const STREAMS = 1_050_000;
const BATCH = 10_000;
/** A hang must end; on a busy machine a million streams take their time [ms]. */
const PATIENCE = 900_000;
const missing = has('gcc') ? '' : ' (skipped: no gcc)';
const folder = buildFolder();

const COUNTERS = [
  'accepted',
  'lost',
  'oversized',
  'malformed',
  'truncated',
  'corrupted',
  'unknownType',
  'wrongDirection',
  'wrongLength',
  'unknownValue',
  'duplicated',
  'outOfOrder',
  'resynchronised',
] as const;

/** As test/driver.c prints it. */
function judge(from: 'host' | 'mcu', bytes: Uint8Array): number[] {
  const decoder = new FrameDecoder({ from });
  let crc = 0;
  for (const { message, sequence, time, lost } of decoder.push(bytes)) {
    view.setUint32(0, crc, true);
    view.setUint8(4, MessageType[message.kind]);
    view.setUint16(5, sequence, true);
    view.setUint32(7, time, true);
    view.setUint16(11, lost, true);
    encodePayload(message, view, 13);
    crc = crc32(block.subarray(0, 13 + PAYLOAD_SIZE[message.kind]));
  }
  return [...COUNTERS.map((name) => decoder.counters[name]), crc];
}
const block = new Uint8Array(256);
const view = new DataView(block.buffer);

test.skipIf(missing)(
  `the C and the TypeScript decoder agree on ${STREAMS} streams${missing}`,
  async () => {
    const seed = randomInt(2 ** 31);
    const maker = new StreamMaker(seed);
    const decoder = new CDecoder(buildDriver(folder, ['-O2']));
    onTestFinished(() => decoder.kill());
    const total = COUNTERS.map(() => 0);
    for (let done = 0; done < STREAMS; done += BATCH) {
      const streams = Array.from({ length: BATCH }, () => maker.next());
      const answers = decoder.judge(streams);
      const expected = streams.map(({ from, bytes }) => judge(from, bytes));
      const c = await answers;
      expected.forEach((words, i) => {
        const at = i * WORDS_PER_STREAM;
        const differs = words.findIndex((word, k) => word !== c[at + k]);
        if (differs >= 0) {
          const stream = streams[i];
          const what = COUNTERS[differs] ?? 'what was accepted';
          const hex = Buffer.from(stream?.bytes ?? []).toString('hex');
          expect.fail(
            `seed ${seed}, from ${stream?.from}: ${what} is ${words[differs]} in TypeScript, ${c[at + differs]} in C: ${hex}`,
          );
        }
        words.forEach((word, k) => {
          if (k < total.length) total[k] = (total[k] ?? 0) + word;
        });
      });
    }
    await decoder.end();
    // Agreement about nothing proves nothing: each verdict was reached many times.
    COUNTERS.forEach((name, i) => {
      expect(total[i], `${name}, seed ${seed}`).toBeGreaterThan(1000);
    });
  },
  PATIENCE,
);
