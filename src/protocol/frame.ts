/** The frames of PROTOCOL.md: what the rest of the program imports. */
export { FrameDecoder, type FrameDecoderOptions } from './frame-decoder.ts';
export { FrameEncoder, type FrameEncoderOptions } from './frame-encoder.ts';
export type { Frame } from './frame-layout.ts';
export type { LinkCounters } from './link-counters.ts';
