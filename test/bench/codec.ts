import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wireFrame } from '../../firmware-protocol/generate/reference-framing.ts';
import { readProtocol } from '../../firmware-protocol/generate/schema.ts';
import { payloadOf } from '../../firmware-protocol/generate/vectors.ts';
import { buildDriver } from '../../firmware-protocol/test/c-driver.ts';
import { say } from '../../src/commands/output.ts';
import { FrameDecoder, FrameEncoder } from '../../src/protocol/frame.ts';
import type { Sensors } from '../../src/protocol/messages.gen.ts';

/** The reference line: 3 Mbaud, ten bits a byte. */
const WIRE_BYTES_PER_SECOND = 3_000_000 / 10;
const FRAMES = 1000;
/** What a read of a busy port brings at once [bytes]. */
const PORTION = 512;
/** CPU time that each figure is taken over, after as much to warm up [µs]. */
const LONG_ENOUGH = 1_000_000;

const cpuMicros = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** Does it again and again. @returns bytes per second of CPU time, so that other programs on the machine do not count */
function bytesPerSecond(bytesOfOne: number, once: () => void): number {
  for (let from = cpuMicros(); cpuMicros() - from < LONG_ENOUGH; ) once();
  let rounds = 0;
  const from = cpuMicros();
  while (cpuMicros() - from < LONG_ENOUGH) {
    once();
    rounds += 1;
  }
  return (rounds * bytesOfOne * 1e6) / (cpuMicros() - from);
}

/** A second of `sensors` frames, each with other readings. */
function sensorsLine(): Uint8Array {
  const message = readProtocol().messages.sensors;
  if (!message) throw new TypeError('messages.yaml has no sensors');
  const frames = Array.from({ length: FRAMES }, (_, i) =>
    wireFrame({
      type: message.type,
      sequence: i,
      time: i * 5000,
      payload: payloadOf(message, { state: 1, commandFresh: 1, gyro: [7 * i, 8 * i, 9 * i], wheelPosition: [i, -i] }),
    }),
  );
  return Uint8Array.from(frames.flat());
}

function decodeTypeScript(line: Uint8Array): number {
  const once = () => {
    const decoder = new FrameDecoder({ from: 'mcu' });
    let frames = 0;
    for (let at = 0; at < line.length; at += PORTION) frames += decoder.push(line.subarray(at, at + PORTION)).length;
    if (frames !== FRAMES) throw new Error(`${frames} of ${FRAMES} frames were decoded`);
  };
  return bytesPerSecond(line.length, once);
}

function encodeTypeScript(line: Uint8Array): number {
  const messages = new FrameDecoder({ from: 'mcu' }).push(line).map(({ message }) => message as Sensors);
  const once = () => {
    const encoder = new FrameEncoder();
    let bytes = 0;
    for (const message of messages) bytes += encoder.encode(message, 0).length;
    if (bytes !== line.length) throw new Error(`${bytes} bytes in place of ${line.length}`);
  };
  return bytesPerSecond(line.length, once);
}

function decodeC(): number {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-bench-'));
  try {
    return Number(execFileSync(buildDriver(folder, ['-O2']), ['bench'], { encoding: 'utf8' }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Bytes per second that both decoders take, of one core, and how many times a 3 Mbaud line that is. */
export async function codec(): Promise<object> {
  const line = sensorsLine();
  const tsBytesPerSecond = Math.round(decodeTypeScript(line));
  const tsEncodeBytesPerSecond = Math.round(encodeTypeScript(line));
  const cBytesPerSecond = Math.round(decodeC());
  const times = (rate: number) => Math.round((rate / WIRE_BYTES_PER_SECOND) * 10) / 10;
  const figures = {
    tsBytesPerSecond,
    cBytesPerSecond,
    tsTimesWire: times(tsBytesPerSecond),
    cTimesWire: times(cBytesPerSecond),
    tsEncodeBytesPerSecond,
    tsEncodeTimesWire: times(tsEncodeBytesPerSecond),
    wireBytesPerSecond: WIRE_BYTES_PER_SECOND,
  };
  const row = (what: string, rate: number) =>
    say(`${what.padEnd(18)} ${(rate / 1e6).toFixed(1).padStart(7)} MB/s  ${String(times(rate)).padStart(7)} × 3 Mbaud`);
  row('TypeScript, decode', tsBytesPerSecond);
  row('TypeScript, encode', tsEncodeBytesPerSecond);
  row('C, decode', cBytesPerSecond);
  return figures;
}
