import { crc32 as zlibCrc32 } from 'node:zlib';

/**
 * CRC-32/ISO-HDLC (PROTOCOL.md §2.3): polynomial 0x04C11DB7 reflected, initial value and final xor 0xFFFFFFFF,
 * check value 0xCBF43926 for the ASCII bytes `123456789`. zlib's own, because it is the same CRC and runs natively.
 */
export const crc32 = (bytes: Uint8Array): number => zlibCrc32(bytes);
