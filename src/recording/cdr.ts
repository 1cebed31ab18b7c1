/** CDR, little-endian, no options (OMG CDR encapsulation header). */
const HEADER = [0x00, 0x01, 0x00, 0x00];

/** A CDR message with this body: a copy, so that the buffer that it came in can go. */
export function cdrOf(body: Uint8Array): Uint8Array {
  const cdr = new Uint8Array(HEADER.length + body.length);
  cdr.set(HEADER);
  cdr.set(body, HEADER.length);
  return cdr;
}

/** The body of a CDR message (a view of it), or `undefined` when it is not one of this kind. */
export function bodyOfCdr(cdr: Uint8Array): Uint8Array | undefined {
  return HEADER.some((byte, index) => cdr[index] !== byte) ? undefined : cdr.subarray(HEADER.length);
}
