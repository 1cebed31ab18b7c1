import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { ArmedMode } from '../../src/messages/mode.ts';
import { decodeRow, type Row } from '../../src/messages/row.ts';
import { limitBit } from '../../src/messages/states.ts';
import { FrameDecoder, FrameEncoder } from '../../src/protocol/frame.ts';
import type { Command, Sensors } from '../../src/protocol/messages.gen.ts';
import { readRows } from '../../src/recording/segment-reader.ts';
import { loadRobot } from '../../src/robot/robot.ts';
import type { Exchange } from '../../src/simulation/exchange-log.ts';
import { MOVE_BY_POLICY, SHIPPED_POLICIES, STAND, STAND_BY_POLICY, temporaryFolder } from '../harness.ts';
import { Rig } from './rig.ts';

const MOVE: ArmedMode = { task: 'moving-straight', controller: 'balancer' };
const robotFile = loadRobot('wheel-legged');
const EPISODE = 1000;
/** Two wheels, each rounded by the wire to the nearest thousandth [N·m]. */
const TORQUE = 0.0011;
/** Of numbers that were rounded to 32 bits on the way. */
const FLOAT = 1e-5;

/** A frame as it was on the wire. */
interface Frame {
  readonly sensors: Sensors;
  /** [µs] */
  readonly time: number;
}

/** What the motor controller sent and received, by the sequence of its frames. */
function readExchange(path: string) {
  const frames = new Map<number, Frame>();
  const commands = new Map<number, Command>();
  for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) {
    const exchange: Exchange = JSON.parse(line);
    if ('sent' in exchange && exchange.sent.kind === 'sensors') {
      // The log knows the numbers before the wire rounded them.
      const [frame] = new FrameDecoder({ from: 'mcu' }).push(new FrameEncoder().encode(exchange.sent, exchange.time));
      if (frame?.message.kind !== 'sensors') throw new Error('a frame of the log cannot be sent');
      frames.set(exchange.sequence, { sensors: frame.message, time: exchange.time });
    } else if ('received' in exchange && exchange.received.kind === 'command' && exchange.verdict === 'valid') {
      commands.set(exchange.received.answers, exchange.received);
    }
  }
  return { frames, commands };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** Odometry and attitude by the book: the wheel's angle against the ground is the sum of all angles above it. */
function seen({ sensors }: Frame) {
  const [w, x, y, z] = sensors.attitude;
  const pitch = Math.atan2(2 * (w * y - x * z), Math.hypot(1 - 2 * (y * y + z * z), 2 * (x * y + w * z)));
  const pitchRate = sensors.gyro[1];
  const { radius } = robotFile.wheels;
  const rolled = (wheels: readonly number[], legs: readonly number[], body: number) =>
    radius * ((sum(wheels) + sum(legs)) / 2 + body);
  return {
    x: rolled(sensors.wheelPosition, sensors.legPosition, pitch),
    v: rolled(sensors.wheelVelocity, sensors.legVelocity, pitchRate),
    pitch,
    pitchRate,
  };
}

const REQUESTED = { disarmed: 'idle', running: 'active', braking: 'braking', limp: 'limp', estopped: 'idle' } as const;

function rewardOf({ task, state, nextState, appliedTorque }: Row): number {
  const [, v = 0] = state;
  if (task === 'moving-straight') return 15 - ((v - 0.2) ** 2 + appliedTorque ** 2);
  return 30 - appliedTorque ** 2 - sum(nextState.map((number) => number ** 2));
}

async function rowsOf(directory: string, files: readonly string[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const file of files) {
    for await (const bytes of readRows(join(directory, file))) {
      const row = decodeRow(bytes);
      if (!row) throw new Error('a row that cannot be decoded');
      rows.push(row);
    }
  }
  return rows;
}

it('rows on disk are what the motor controller sent and received, field by field', async () => {
  const log = join(temporaryFolder(), 'exchange.jsonl');
  const rig = await Rig.start({
    simulator: ['--hand', '--log', log],
    // Nobody watches; it moves all the same.
    config: { operatorHeartbeat: 0, policies: [SHIPPED_POLICIES] },
  });
  const { robot } = rig;
  const { simulator } = robot;
  await robot.stand(STAND);
  await simulator.request('push', { newtons: 20, seconds: 0.1 });
  await simulator.wait(2);
  await robot.arm(STAND_BY_POLICY);
  await simulator.wait(2);
  await robot.arm(MOVE_BY_POLICY);
  await simulator.wait(6);
  await robot.arm(MOVE);
  await simulator.wait(1);
  await robot.order('estop');
  // It falls.
  await simulator.wait(2);
  await robot.reset();
  await robot.lift();
  await robot.stand(STAND);
  await robot.control.disarm();
  await simulator.wait(0.5);
  const { counters, report } = await rig.readBack();
  expect(report).toMatchObject({ rows: counters['rows.made'], gaps: 0, duplicates: 0, ok: true });

  const rows = await rowsOf(
    rig.recordings,
    report.files.map(({ file }) => file),
  );
  expect(rows).toHaveLength(counters['rows.made'] ?? 0);
  const { frames, commands } = readExchange(log);
  const problems: string[] = [];
  let origin = 0;
  let driven = 0;
  rows.forEach((row, index) => {
    const number = Number(row.sequence);
    const check = (what: string, found: unknown, wanted: unknown) => {
      if (found !== wanted) problems.push(`row ${number}: ${what} is ${String(found)}, not ${String(wanted)}`);
    };
    const near = (what: string, found: number | undefined, wanted: number, tolerance: number) => {
      if (found !== undefined && Math.abs(found - wanted) <= tolerance) return;
      problems.push(`row ${number}: ${what} is ${found}, not ${wanted}`);
    };
    const frame = frames.get(number);
    const next = frames.get(number + 1);
    const command = commands.get(number);
    if (!frame || !next || !command) {
      problems.push(
        `row ${number}: ${frame ? '' : 'no frame '}${next ? '' : 'no next frame '}${command ? '' : 'no command'}`,
      );
      return;
    }
    const before = rows[index - 1];
    const after = rows[index + 1];
    const [now, then] = [seen(frame), seen(next)];
    const [x = Number.NaN, v, pitch, pitchRate] = row.state;

    // s
    const moved = now.x - x;
    if (Math.abs(moved - origin) > FLOAT) {
      check('x where it begins to count anew', x, 0);
      origin = now.x;
    }
    near('v', v, now.v, FLOAT);
    near('pitch', pitch, now.pitch, FLOAT);
    near('pitch rate', pitchRate, now.pitchRate, FLOAT);
    // a
    near('commanded torque', row.commandedTorque, sum(command.wheelTorque), TORQUE);
    near('applied torque', row.appliedTorque, sum(next.sensors.wheelTorqueApplied), FLOAT);
    near('measured torque', row.measuredTorque, sum(next.sensors.wheelTorqueMeasured), FLOAT);
    check('measured', row.measured, true);
    check('requested state', command.requestedState, REQUESTED[row.robotState]);
    if (row.limits === 0) near('requested torque', row.requestedTorque, row.commandedTorque, FLOAT);
    check('not-running', (row.limits & limitBit('not-running')) !== 0, row.robotState !== 'running');
    if (row.robotState === 'running' && frame.sensors.state === 'active' && next.sensors.state === 'active') {
      // In step with the answers a command acts from its frame on.
      near('torque that drove', row.appliedTorque, row.commandedTorque, 2 * TORQUE);
      driven += 1;
    }
    // s'
    near("x'", row.nextState[0], then.x - origin, FLOAT);
    near("v'", row.nextState[1], then.v, FLOAT);
    near("pitch'", row.nextState[2], then.pitch, FLOAT);
    near("pitch rate'", row.nextState[3], then.pitchRate, FLOAT);
    // r and the rest
    near('reward', row.reward, rewardOf(row), 1e-3);
    check('done', row.done, Math.abs(then.pitch) > Math.PI / 6);
    const ends = row.step === EPISODE - 1 || (after !== undefined && after.episode !== row.episode);
    if (after !== undefined) check('timeout', row.timeout, !row.done && ends);
    check('dt', row.dtUs, next.time - frame.time);
    check('MCU time', row.mcuTimeUs, BigInt(frame.time));
    check('boot', row.boot, rows[0]?.boot);
    if (before) {
      check('sequence', row.sequence, before.sequence + 1n);
      check('step', row.step, before.episode === row.episode ? before.step + 1 : 0);
      // Frames that came in one piece, before they waited for their answers, came at one time.
      check('clock goes back', row.monotonicNs < before.monotonicNs, false);
    }
  });
  expect(problems.slice(0, 20)).toEqual([]);

  const kinds = new Set(rows.map(({ task, controller, robotState }) => `${robotState} ${task} ${controller}`));
  expect([...kinds]).toEqual(
    expect.arrayContaining([
      expect.stringContaining('disarmed'),
      'running standing-still balancer',
      'running standing-still policy',
      'running moving-straight policy',
      'running moving-straight balancer',
      expect.stringContaining('estopped'),
    ]),
  );
  // Eleven seconds were waited for while it ran; what the orders took comes on top.
  expect(driven).toBeGreaterThan(2100);
  expect(rows.some(({ done }) => done)).toBe(true);
  expect(rows.some(({ timeout, step }) => timeout && step === EPISODE - 1)).toBe(true);
  expect(rows.some(({ timeout, step }) => timeout && step < EPISODE - 1)).toBe(true);
});
