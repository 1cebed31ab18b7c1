import { expect, test } from 'vitest';
import { crc32 } from './crc32.ts';

test('is CRC-32/ISO-HDLC by its check value', () => {
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
});
