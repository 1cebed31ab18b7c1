import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { patientHost, TestRobot } from './harness.ts';

it('a robot that nobody has armed says nothing: no log line, no event and no entry of the audit log in ten seconds of MCU time', async () => {
  // Nobody watches it, as nobody need: the deadline of the operator is for a robot that moves.
  const robot = await TestRobot.start({ config: { operatorHeartbeat: 100 }, robotFile: patientHost });
  const audit = () => readFileSync(join(robot.folder, 'state', 'audit.jsonl'), 'utf8');
  await robot.simulator.wait(1);
  const events: unknown[] = [];
  robot.control.onEvent = (event) => void events.push(event);
  await robot.control.subscribe({ rows: false, events: true });
  await robot.simulator.wait(0.5);
  const before = { log: robot.log, audit: audit(), frames: (await robot.control.status()).counters.frames ?? 0 };
  events.length = 0;

  await robot.simulator.wait(10);
  const { state, reasons, counters } = await robot.control.status();
  expect({ state, reasons }).toEqual({ state: 'disarmed', reasons: [] });
  expect((counters.frames ?? 0) - before.frames).toBeGreaterThan(1900);
  expect(events).toEqual([]);
  expect(robot.log).toBe(before.log);
  expect(audit()).toBe(before.audit);

  // This test can fail: what is worth a word is told.
  await robot.control.estop('somebody');
  expect(events.length).toBeGreaterThan(0);
});
