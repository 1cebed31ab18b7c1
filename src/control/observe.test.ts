import { describe, expect, it } from 'vitest';
import { EpisodeClock } from './observe.ts';
import { estimated } from './ticks.testing.ts';

/** A frame of a robot that has rolled this far. */
const at = (x: number, over: Parameters<typeof estimated>[0] = {}) => estimated({ ...over, estimate: { x } });

/** So many frames, rolling on by a centimetre each. */
function roll(clock: EpisodeClock, frames: number, from = 0) {
  return Array.from({ length: frames }, (_, index) => clock.observe(at(from + index * 0.01)));
}

describe('the x of a task', () => {
  it('counts from where the robot was at its first frame', () => {
    const clock = new EpisodeClock();
    clock.observe(at(3));
    clock.startTask('standing-still');
    expect([clock.observe(at(5)).state.x, clock.observe(at(5.25)).state.x]).toEqual([0, 0.25]);
  });

  it('is the odometry itself before any task', () => {
    expect(new EpisodeClock().observe(at(3))).toMatchObject({ state: { x: 3 }, origin: 0 });
  });

  it('counts anew every 1000 steps of moving straight', () => {
    const clock = new EpisodeClock();
    clock.startTask('moving-straight');
    const ticks = roll(clock, 2001, 7);
    expect(ticks[999]?.state.x).toBeCloseTo(9.99, 9);
    expect(ticks[1000]?.state.x).toBe(0);
    expect(ticks[1999]?.state.x).toBeCloseTo(9.99, 9);
    expect(ticks[2000]).toMatchObject({ state: { x: 0 }, origin: expect.closeTo(27, 9) });
  });

  it('counts on over episodes of standing still', () => {
    const clock = new EpisodeClock();
    clock.startTask('standing-still');
    expect(roll(clock, 1001)[1000]?.state.x).toBeCloseTo(10, 9);
  });

  it('counts on over a gap', () => {
    const clock = new EpisodeClock();
    clock.startTask('moving-straight');
    clock.observe(at(1));
    expect(clock.observe(at(1.5, { lost: 3 })).state.x).toBe(0.5);
  });

  it('counts from the new place when the task starts again', () => {
    const clock = new EpisodeClock();
    clock.startTask('standing-still');
    clock.observe(at(1));
    clock.startTask('standing-still');
    expect(clock.observe(at(4)).state.x).toBe(0);
  });

  it('leaves the other three numbers of the state as they were measured', () => {
    const tick = new EpisodeClock().observe(estimated({ estimate: { v: 1, pitch: 2, pitchRate: 3 } }));
    expect(tick.state).toEqual({ x: 0, v: 1, pitch: 2, pitchRate: 3 });
  });
});

describe('episodes', () => {
  const numbers = (ticks: ReadonlyArray<{ episode: number; step: number }>) =>
    ticks.map(({ episode, step }) => [episode, step]);

  it('count their steps from zero', () => {
    const clock = new EpisodeClock();
    clock.startTask('standing-still');
    const episode = clock.observe(at(0)).episode;
    expect(numbers(roll(clock, 2))).toEqual([
      [episode, 1],
      [episode, 2],
    ]);
  });

  it('end after 1000 steps, and only the last one says so', () => {
    const clock = new EpisodeClock();
    clock.startTask('standing-still');
    const ticks = roll(clock, 1002);
    expect(ticks.filter((tick) => tick.lastStep).map((tick) => tick.step)).toEqual([999]);
    const first = ticks[0]?.episode ?? 0;
    expect(numbers(ticks.slice(998))).toEqual([
      [first, 998],
      [first, 999],
      [first + 1, 0],
      [first + 1, 1],
    ]);
  });

  it.each([
    ['frames were lost', { lost: 1 }],
    ['the stream began anew', { first: true }],
  ])('break where %s', (_what, over) => {
    const clock = new EpisodeClock();
    clock.startTask('moving-straight');
    const [before] = roll(clock, 5);
    expect(clock.observe(at(0, over))).toMatchObject({ episode: (before?.episode ?? 0) + 1, step: 0 });
    expect(clock.observe(at(0))).toMatchObject({ step: 1 });
  });

  it('break where a task starts, and where only the controller changes', () => {
    const clock = new EpisodeClock();
    clock.startTask('standing-still');
    const [first] = roll(clock, 3);
    clock.startTask('moving-straight');
    const [second] = roll(clock, 3);
    clock.startEpisode();
    const [third] = roll(clock, 1);
    expect([second?.episode, third?.episode]).toEqual([(first?.episode ?? 0) + 1, (first?.episode ?? 0) + 2]);
    expect([second?.step, third?.step]).toEqual([0, 0]);
    expect(third?.task).toBe('moving-straight');
  });

  it('last 1000 steps again after a break', () => {
    const clock = new EpisodeClock();
    clock.startTask('moving-straight');
    roll(clock, 900);
    clock.observe(at(0, { lost: 1 }));
    expect(
      roll(clock, 999)
        .filter((tick) => tick.lastStep)
        .map((tick) => tick.step),
    ).toEqual([999]);
  });
});
