import { emitKeypressEvents } from 'node:readline';
import { messageOf } from '../../errors.ts';
import { describeMode, type Mode } from '../../messages/mode.ts';
import type { Status } from '../../messages/status.ts';
import { say } from '../output.ts';
import { describeStatus } from '../status.ts';
import type { Stage } from './stage.ts';

const KEYS = 'space e-stop   r reset   l lift   s stand   m move   b balancer   d disarm   q quit';

const standing: Mode = { task: 'standing-still', controller: 'standing-still-balancer' };
const moving: Mode = { task: 'moving-straight', controller: 'moving-straight-balancer' };
const balancing: Mode = { task: 'standing-still', controller: 'balancer' };

/** Refresh of the live screen, and of the lines where there is no terminal [ms]. */
const SCREEN_INTERVAL = 100;
const LINE_INTERVAL = 1000;

/**
 * The demo without a scenario: lifts the robot, lets it stand, and shows what it does until it is told to end.
 * @param seconds ends by itself after this much simulated time; undefined: by key or signal
 */
export async function live(stage: Stage, seconds: number | undefined): Promise<void> {
  const { simulator, control, operator } = stage;
  const terminal = process.stdout.isTTY && process.stdin.isTTY;
  let message = '';
  const attempt = (what: string, doing: Promise<unknown>) =>
    void doing.then(
      () => {
        message = what;
      },
      (error: unknown) => {
        message = `${what}: ${messageOf(error)}`;
      },
    );
  const enter = (mode: Mode) => attempt(describeMode(mode), control.command({ name: 'mode', mode }, operator));

  const ended = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
    if (seconds !== undefined) void simulator.wait(seconds).then(resolve, () => resolve());
    if (terminal) {
      listen({
        ' ': () => attempt('e-stop', control.estop('space bar')),
        r: () => attempt('reset', control.command({ name: 'reset' }, operator)),
        l: () => attempt('lift', simulator.request('lift')),
        s: () => enter(standing),
        m: () => enter(moving),
        b: () => enter(balancing),
        d: () => attempt('disarm', control.disarm()),
        q: resolve,
      });
    }
  });

  await simulator.request('lift');
  void simulator.wait(2).then(
    () => enter(standing),
    () => {},
  );

  const draw = async () => {
    const lines = describeStatus(await control.status());
    if (terminal) drawScreen(lines, message);
    else say(oneLine(await control.status()));
  };
  let drawing = false;
  const timer = setInterval(
    () => {
      if (drawing) return;
      drawing = true;
      void draw()
        .catch((error: unknown) => {
          message = messageOf(error);
        })
        .finally(() => {
          drawing = false;
        });
    },
    terminal ? SCREEN_INTERVAL : LINE_INTERVAL,
  );
  await Promise.race([ended, stage.broken]);
  clearInterval(timer);
  if (terminal) {
    process.stdin.setRawMode(false);
    process.stdin.pause();
    say('');
  }
}

function listen(actions: Record<string, () => void>): void {
  emitKeypressEvents(process.stdin);
  process.stdin.setRawMode(true);
  process.stdin.resume();
  process.stdin.on('keypress', (character: string | undefined, key: { name?: string; ctrl?: boolean }) => {
    if (key.ctrl && key.name === 'c') actions.q?.();
    else if (character !== undefined) actions[character]?.();
  });
}

function drawScreen(lines: readonly string[], message: string): void {
  const width = process.stdout.columns;
  const clip = (line: string) =>
    line
      .split('\n')
      .map((part) => part.slice(0, width))
      .join('\n');
  const text = [...lines, '', KEYS, message].map(clip).join('\n');
  // Home, then each line to its end, then the rest of the screen: no flicker.
  process.stdout.write(`\x1b[H${text.replaceAll('\n', '\x1b[K\n')}\x1b[K\x1b[J`);
}

function oneLine({ state, mode, estimate, mcu, latencyUs, limits, reasons }: Status): string {
  const numbers = estimate
    ? `pitch ${estimate.pitch.toFixed(3)} rad  v ${estimate.v.toFixed(3)} m/s  x ${estimate.x.toFixed(3)} m`
    : 'no frames yet';
  const rate = `${mcu.measuredRate?.toFixed(0) ?? '?'} Hz  p99 ${latencyUs.p99} µs`;
  const acting = limits.length > 0 ? `  limits: ${limits.join(',')}` : '';
  const why = reasons.length > 0 ? `  reasons: ${reasons.map((reason) => reason.id).join(',')}` : '';
  return `${state}  ${describeMode(mode)}  ${numbers}  ${rate}${acting}${why}`;
}
