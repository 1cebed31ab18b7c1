import { emitKeypressEvents } from 'node:readline';
import { messageOf } from '../../errors.ts';
import { describeMode, type Mode } from '../../messages/mode.ts';
import { Heartbeat } from '../heartbeat.ts';
import { drawScreen, oneLine } from '../live-view.ts';
import { say } from '../output.ts';
import { describeStatus } from '../status.ts';
import { ROBOT, type Stage } from './stage.ts';

const KEYS = 'space e-stop   r reset   l lift   s stand   m move   b balancer   d disarm   q quit';

const balancing: Mode = { task: 'standing-still', controller: 'balancer' };

/** Refresh of the live screen, and of the lines where there is no terminal [ms]. */
const SCREEN_INTERVAL = 100;
const LINE_INTERVAL = 1000;

/** What the robot did since it was first armed, by the simulator's ground truth. */
export interface LiveResult {
  readonly ok: true;
  readonly controller: string;
  readonly seconds: number;
  readonly falls: number;
  readonly maxAbsX: number;
  readonly answered: number;
  readonly frames: number;
}

/**
 * The demo without a scenario: lifts the robot, lets it stand, and shows what it does until it is told to end.
 * @param seconds ends by itself after this much simulated time; undefined: by key or signal
 */
export async function live(stage: Stage, seconds: number | undefined): Promise<LiveResult> {
  const { simulator, control, operator, remote, brokerUrl, modes } = stage;
  // Over the broker, as an operator elsewhere would; the e-stop the shortest way.
  const robot = remote ?? control;
  const heart = new Heartbeat();
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
  const enter = (mode: Mode) => {
    const { session } = heart;
    attempt(describeMode(mode), robot.command({ name: 'mode', mode, session }, operator));
  };
  heart.start(robot);

  const ended = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
    if (seconds !== undefined) void simulator.wait(seconds).then(resolve, () => resolve());
    if (terminal) {
      listen({
        ' ': () => attempt('e-stop', control.estop('space bar')),
        r: () =>
          attempt(
            'reset',
            stage.confirmReset().then(() => robot.command({ name: 'reset' }, operator)),
          ),
        l: () => attempt('lift', simulator.request('lift')),
        s: () => enter(modes['standing-still']),
        m: () => enter(modes['moving-straight']),
        b: () => enter(balancing),
        d: () => attempt('disarm', robot.disarm()),
        q: resolve,
      });
    }
  });

  if (!terminal) say(`robot "${ROBOT}" on ${brokerUrl}`);
  const mark = () => simulator.request('mark', { name: 'live' });
  await mark();
  await simulator.request('lift');
  void simulator.wait(2).then(
    async () => {
      await mark();
      enter(modes['standing-still']);
    },
    () => {},
  );

  const draw = async () => {
    const lines = describeStatus(await control.status());
    if (terminal) drawScreen([...lines, '', `robot "${ROBOT}" on ${brokerUrl}`, KEYS, message]);
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
  await Promise.race([ended, stage.broken]).finally(() => heart.stop());
  clearInterval(timer);
  if (terminal) {
    process.stdin.setRawMode(false);
    process.stdin.pause();
    say('');
  }
  const { counters } = await control.status();
  const { seconds: watched, falls, maxAbsX } = await simulator.measure('live');
  const { frames = 0, answered = 0 } = counters;
  return {
    ok: true,
    controller: modes['standing-still'].controller,
    seconds: watched,
    falls,
    maxAbsX,
    frames,
    answered,
  };
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
