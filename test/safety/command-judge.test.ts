import { describe, expect, it } from 'vitest';
import type { Command } from '../../src/protocol/messages.gen.ts';
import { loadRobot } from '../../src/robot/robot.ts';
import { CommandJudge } from './command-judge.ts';

const robot = loadRobot('wheel-legged');
const { hipStance, kneeStance, stiffness, damping } = robot.legs;
const stance: Command = {
  kind: 'command',
  session: 1,
  answers: 0,
  timeToLive: 25_000,
  requestedState: 'active',
  wheelTorque: [0, 0],
  legPosition: [hipStance, kneeStance, hipStance, kneeStance],
  legVelocity: [0, 0, 0, 0],
  legTorque: [0, 0, 0, 0],
  legStiffness: [stiffness, stiffness, stiffness, stiffness],
  legDamping: [damping, damping, damping, damping],
};

/** What the judge says of commands that answer frames 5 ms apart. */
function verdictOn(...commands: Partial<Command>[]): string {
  const judge = new CommandJudge(robot);
  judge.armed();
  commands.forEach((changes, answers) => {
    const sensors = { kind: 'sensors' } as never;
    judge.observe({ sent: sensors, sequence: answers, time: answers * 5000 });
    judge.observe({ received: { ...stance, answers, ...changes }, sequence: answers, verdict: 'valid' });
  });
  expect(judge.commands).toBe(commands.length);
  return judge.violations.join('\n');
}

const idle = { requestedState: 'idle' } as const;

describe('the judge of commands', () => {
  it('lets pass what stays within the limits, up to the last step of the wire', () => {
    expect(verdictOn({}, { wheelTorque: [0.75, -0.75] }, { wheelTorque: [1.5, -1.5] }, idle, idle)).toBe('');
  });

  it.each([
    [
      'too much torque',
      [{ wheelTorque: [0.75, 0] }, { wheelTorque: [1.49, 0] }, { wheelTorque: [1.502, 0] }],
      /wheel torque 1\.502/,
    ],
    ['torque that is no number', [{ wheelTorque: [Number.NaN, 0] }], /wheel torque NaN/],
    ['a jump of torque', [{}, { wheelTorque: [0, 0.76] }], /changed by 0\.760/],
    ['a jump at the start', [idle, { wheelTorque: [0, 1.5] }], /changed by 1\.500/],
    ['legs that leave the stance', [{ legPosition: [0, kneeStance, hipStance, kneeStance] }], /leg position/],
    ['legs that are pushed', [{ legTorque: [0, 0, 1, 0] }], /leg torque/],
    ['soft legs', [{ legStiffness: [0, 0, 0, 0] }], /leg stiffness/],
    ['driving after a stop', [{}, idle, {}], /active after a stop/],
    ['torque without driving', [{}, { ...idle, wheelTorque: [0.1, 0] }], /torque while idle/],
  ] as [string, Partial<Command>[], RegExp][])('finds %s', (_, commands, words) => {
    expect(verdictOn(...commands)).toMatch(words);
  });

  it('finds a robot that drives before anybody has armed it', () => {
    const judge = new CommandJudge(robot);
    judge.observe({ received: stance, sequence: 0, verdict: 'valid' });
    expect(judge.violations.join()).toMatch(/nobody has armed it/);
  });

  it('takes two commands of which one between them was lost for two steps', () => {
    const judge = new CommandJudge(robot);
    judge.armed();
    for (let frame = 0; frame < 3; frame++) {
      judge.observe({ sent: { kind: 'sensors' } as never, sequence: frame, time: frame * 5000 });
    }
    judge.observe({ received: { ...stance, answers: 0 }, sequence: 0, verdict: 'valid' });
    judge.observe({ received: { ...stance, answers: 2, wheelTorque: [1.5, 0] }, sequence: 1, verdict: 'valid' });
    expect(judge.violations).toEqual([]);
  });
});
