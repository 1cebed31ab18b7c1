import { EdgeError } from '../errors.ts';

/**
 * Physical value to raw integer: nearest, saturated at the ends. A value that wrapped would turn full torque forward
 * into full torque backward.
 *
 * @param value physical value
 * @param resolution physical value of one count, in the unit of `value`
 * @param min smallest raw value of the wire type
 * @param max largest raw value of the wire type
 * @param field `message.field`, for the error
 * @throws EdgeError `fieldOutOfRange` for NaN, which has no nearest integer; infinities saturate
 */
export function quantise(value: number, resolution: number, min: number, max: number, field: string): number {
  const raw = Math.round(value / resolution);
  if (raw >= max) return max;
  if (raw > min) return raw;
  if (raw <= min) return min;
  throw new EdgeError(
    'fieldOutOfRange',
    `"${field}" must be a number: ${value}`,
    'find the NaN where the value was computed; no message was made of it',
  );
}
