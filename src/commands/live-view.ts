import { describeMode } from '../messages/mode.ts';
import type { Status } from '../messages/status.ts';

/** Draws lines over what was drawn before, cut to the width of the terminal. */
export function drawScreen(lines: readonly string[]): void {
  const width = process.stdout.columns;
  const text = lines
    .flatMap((line) => line.split('\n'))
    .map((line) => line.slice(0, width))
    .join('\n');
  // Home, then each line to its end, then the rest of the screen: no flicker.
  process.stdout.write(`\x1b[H${text.replaceAll('\n', '\x1b[K\n')}\x1b[K\x1b[J`);
}

/** The status where there is no terminal. */
export function oneLine({ state, mode, estimate, mcu, latencyUs, limits, reasons }: Status): string {
  const numbers = estimate
    ? `pitch ${estimate.pitch.toFixed(3)} rad  v ${estimate.v.toFixed(3)} m/s  x ${estimate.x.toFixed(3)} m`
    : 'no frames yet';
  const rate = `${mcu.measuredRate?.toFixed(0) ?? '?'} Hz  p99 ${latencyUs.p99} µs`;
  const acting = limits.length > 0 ? `  limits: ${limits.join(',')}` : '';
  const why = reasons.length > 0 ? `  reasons: ${reasons.map((reason) => reason.id).join(',')}` : '';
  return `${state}  ${describeMode(mode)}  ${numbers}  ${rate}${acting}${why}`;
}
