import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { patientHost, TestRobot } from './harness.ts';

/** A condition that says how fast this machine is, and nothing of the robot; or its end. */
const isOfTheMachine = ({ event, active }: Record<string, unknown>): boolean =>
  event === 'conditions' && Array.isArray(active) && active.every((id) => String(id).startsWith('overrun'));

/** What was logged after that much, but for the machine's own troubles. */
const linesAfter = (log: string, before: number): string[] =>
  log
    .slice(before)
    .split('\n')
    .filter((line) => line !== '' && !isOfTheMachine(JSON.parse(line.slice(line.indexOf('{')))));

it('a robot that nobody has armed says nothing: no log line, no event and no entry of the audit log in ten seconds of MCU time', async () => {
  // Nobody watches it, as nobody need: the deadline of the operator is for a robot that moves.
  const robot = await TestRobot.start({ config: { operatorHeartbeat: 100 }, robotFile: patientHost });
  const audit = () => readFileSync(join(robot.folder, 'state', 'audit.jsonl'), 'utf8');
  await robot.simulator.wait(1);
  const events: Array<Record<string, unknown>> = [];
  robot.control.onEvent = (event) => void events.push(event);
  await robot.control.subscribe({ rows: false, events: true });
  await robot.simulator.wait(0.5);
  const before = { log: robot.log.length, audit: audit(), frames: (await robot.control.status()).counters.frames ?? 0 };
  events.length = 0;

  await robot.simulator.wait(10);
  const { state, counters } = await robot.control.status();
  expect(state).toBe('disarmed');
  expect((counters.frames ?? 0) - before.frames).toBeGreaterThan(1900);
  expect(events.filter((event) => !isOfTheMachine(event))).toEqual([]);
  expect(linesAfter(robot.log, before.log)).toEqual([]);
  expect(audit()).toBe(before.audit);

  // This test can fail: what is worth a word is told.
  await robot.control.estop('somebody');
  expect(events.length).toBeGreaterThan(0);
});
