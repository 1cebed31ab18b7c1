import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../protocol/messages.gen.ts';
import { latchOnDisk, robotControlRig } from '../control-rig.testing.ts';
import { frameOf } from '../frames.testing.ts';

type Rig = ReturnType<typeof robotControlRig>;

/**
 * The MCU's side of PROTOCOL.md §7 and §8, with a line in both directions that a test delivers piece by piece, late or
 * not at all.
 */
class ButtonMcu {
  state: 'idle' | 'estopped' = 'idle';
  latch = 0;
  readonly #rig: Rig;
  /** on the way to the host */
  readonly #toHost: Message[] = [];
  #heard = 0;

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  /** Its own stop input acts; each counts, also in estopped (§7.1). */
  press(): void {
    this.latch = (this.latch + 1) & 0xffff;
    this.state = 'estopped';
    this.echo();
  }

  /** §7.2: at once, and every 100 ms while it is latched. */
  echo(): void {
    if (this.state === 'estopped') {
      this.#toHost.push({ kind: 'estopEcho', latch: this.latch, latchedAt: 0, estopSequence: 1 });
    }
  }

  /** What the host has sent arrives. */
  listen(): void {
    const sent = this.#rig.tap.frames.slice(this.#heard);
    this.#heard = this.#rig.tap.frames.length;
    for (const { message } of sent) {
      if (message.kind === 'estop') this.press();
      // §7.3: a clear that names an old number is ignored.
      if (message.kind === 'clear' && message.latch === this.latch) this.state = 'idle';
    }
  }

  /** What it has said arrives, or is lost on the way; then a sample, which is never older than that. */
  speak(echoesArrive: boolean): void {
    const said = this.#toHost.splice(0);
    if (echoesArrive) for (const message of said) this.#rig.session.receive(frameOf(message));
    this.#rig.frame({ state: this.state });
  }
}

let disk: ReturnType<typeof latchOnDisk>;
beforeEach(() => {
  disk = latchOnDisk();
  return () => disk.remove();
});

/** A robot that was stopped, and whose MCU has followed and said so. */
async function stopped(): Promise<{ rig: Rig; mcu: ButtonMcu }> {
  const rig = robotControlRig({ latch: disk.latch });
  const mcu = new ButtonMcu(rig);
  rig.settle();
  await rig.control.estop('before');
  mcu.listen();
  mcu.speak(true);
  return { rig, mcu };
}

/** Some time later, on a line on which everything arrives. */
function settle(rig: Rig, mcu: ButtonMcu): void {
  for (let turn = 0; turn < 100; turn++) {
    mcu.listen();
    if (turn % 20 === 0) mcu.echo();
    mcu.speak(true);
  }
  expect(rig.control.latest.mcuState).toBe(mcu.state);
}

describe("the MCU's own stop button", () => {
  it('is pressed at any point of a reset: the robot stays stopped at both ends, whatever is late or lost', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.constantFrom('listen', 'speak', 'mute', 'echo', 'pass', 'round', 'round'), { maxLength: 15 }),
        async (scheduler, line) => {
          const { rig, mcu } = await stopped();
          const step = (what: string, work: () => void) => scheduler.schedule(Promise.resolve(), what).then(work);
          // The reset begins before, among, or after all of it.
          let began = false;
          const reset = step('reset', () => {
            began = true;
          }).then(() =>
            rig.control.reset(async () => {
              for (let look = 0; look < 20 && !rig.control.mcuIsIdle; look++) {
                await scheduler.schedule(Promise.resolve(), 'settling');
              }
            }),
          );
          let pressedBefore = false;
          let knownBefore = false;
          const press = step('press', () => {
            pressedBefore = !began;
            mcu.press();
          });
          const events = line.map((what) =>
            step(what, () => {
              if (what === 'round') rig.pass(50);
              if (what === 'listen' || what === 'round') mcu.listen();
              if (what === 'echo') mcu.echo();
              if (what === 'pass') rig.pass(50);
              if (what === 'speak' || what === 'round') mcu.speak(true);
              if (what === 'mute') mcu.speak(false);
              if (!began) knownBefore = rig.session.latch === mcu.latch;
            }),
          );
          await scheduler.waitFor(Promise.all([reset, press, ...events]));
          await scheduler.waitIdle();
          // A stop that the host knew of when it was told to reset is one that the reset is for.
          fc.pre(!(pressedBefore && knownBefore));
          settle(rig, mcu);
          expect(mcu.state).toBe('estopped');
          expect(rig.control.safety.robotState).toBe('estopped');
          expect(rig.latch.latched).toBe(true);
          await rig.latch.persisted();
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each(['before the clear', 'after the clear', 'after the MCU was idle', 'during the removal from disk'])(
    'wins %s',
    async (when) => {
      const { rig, mcu } = await stopped();
      const press = (now: string) => {
        if (now !== when) return;
        mcu.press();
        mcu.speak(true);
      };
      const release = rig.latch.release.bind(rig.latch);
      rig.latch.release = () => {
        const released = release();
        press('during the removal from disk');
        return released;
      };
      const refusal = await rig.control.reset(async () => {
        press('before the clear');
        mcu.listen();
        press('after the clear');
        mcu.speak(true);
        press('after the MCU was idle');
      });
      expect(refusal).toMatchObject({ code: expect.stringMatching(/stopped-again|mcu-latched/) });
      settle(rig, mcu);
      expect(mcu.state).toBe('estopped');
      expect(rig.control.safety.robotState).toBe('estopped');
      expect(rig.latch.latched).toBe(true);
    },
  );

  it('sends no clear with a number that was not seen when the reset began', async () => {
    const { rig, mcu } = await stopped();
    const seen = rig.session.latch;
    await rig.control.reset(async () => {
      mcu.press();
      mcu.speak(true);
      rig.pass(500);
    });
    expect(rig.tap.all('clear').every((clear) => clear.latch === seen)).toBe(true);
  });

  it('is not undone when the number of its latch comes with another message than an echo', async () => {
    const { rig } = await stopped();
    const seen = rig.session.latch;
    await rig.control.reset(async () => {
      const latch = seen + 1;
      rig.session.receive(frameOf({ kind: 'fault', latch, cause: 'fault', faults: 1, latchedAt: 0 }));
      rig.pass(500);
    });
    expect(rig.tap.count('clear')).toBeGreaterThan(1);
    expect(rig.tap.all('clear').every((clear) => clear.latch === seen)).toBe(true);
  });

  it('released again by a reset that comes after it, the robot is free', async () => {
    const { rig, mcu } = await stopped();
    mcu.press();
    mcu.speak(true);
    const refusal = await rig.control.reset(async () => {
      mcu.listen();
      mcu.speak(true);
    });
    expect(refusal).toBeUndefined();
    settle(rig, mcu);
    expect(mcu.state).toBe('idle');
    expect(rig.control.safety.robotState).toBe('disarmed');
  });
});
