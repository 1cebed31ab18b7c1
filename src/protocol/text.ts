const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Writes text as UTF-8, zero padded; what does not fit is cut at a whole character. */
export function writeText(text: string, view: DataView, offset: number, length: number): void {
  const target = new Uint8Array(view.buffer, view.byteOffset + offset, length);
  target.fill(0, encoder.encodeInto(text, target).written);
}

/** Reads text up to the first zero byte. Bytes that are no UTF-8 become U+FFFD: a name is for people, never a reason to fail. */
export function readText(view: DataView, offset: number, length: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, length);
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
