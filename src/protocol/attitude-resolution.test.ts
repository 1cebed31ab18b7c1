import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arbitraryMessage } from '../../firmware-protocol/test/arbitrary-message.ts';
import { decodePayload, encodePayload, PAYLOAD_SIZE, type Sensors } from './messages.gen.ts';

type Quaternion = readonly [number, number, number, number];

/** Yaw about z, then pitch about y, then roll about x; positive pitch leans forward. */
function quaternion(yaw: number, pitch: number, roll: number): Quaternion {
  const [cy, sy] = [Math.cos(yaw / 2), Math.sin(yaw / 2)];
  const [cp, sp] = [Math.cos(pitch / 2), Math.sin(pitch / 2)];
  const [cr, sr] = [Math.cos(roll / 2), Math.sin(roll / 2)];
  return [
    cr * cp * cy + sr * sp * sy,
    sr * cp * cy - cr * sp * sy,
    cr * sp * cy + sr * cp * sy,
    cr * cp * sy - sr * sp * cy,
  ];
}

/** From where the body's x axis points. The asin of one element would be 14 times coarser at 1.5 rad. */
function pitchOf([w, x, y, z]: Quaternion): number {
  const forward = [w * w + x * x - y * y - z * z, 2 * (x * y + w * z), 2 * (x * z - w * y)] as const;
  return Math.atan2(-forward[2], Math.hypot(forward[0], forward[1]));
}

const angle = (max: number) => fc.double({ min: -max, max, noNaN: true });
const base = fc.sample(arbitraryMessage('sensors'), { numRuns: 1, seed: 1 })[0] as Sensors;

test('the attitude on the wire gives pitch within 1e-4 rad up to 1.5 rad of pitch, at any yaw and roll', () => {
  const view = new DataView(new ArrayBuffer(PAYLOAD_SIZE.sensors));
  fc.assert(
    fc.property(angle(Math.PI), angle(1.5), angle(Math.PI), (yaw, pitch, roll) => {
      encodePayload({ ...base, attitude: quaternion(yaw, pitch, roll) }, view, 0);
      const decoded = decodePayload('sensors', view, 0) as Sensors;
      expect(Math.abs(pitchOf(decoded.attitude) - pitch)).toBeLessThanOrEqual(1e-4);
    }),
    { numRuns: 2000 },
  );
});
