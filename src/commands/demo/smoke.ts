import { EdgeError } from '../../errors.ts';
import type { ArmedMode } from '../../messages/mode.ts';
import { decodeRow, type Row } from '../../messages/row.ts';
import type { Stage } from './stage.ts';

/** What the smoke scenario found; falls, distance and speed by the simulator's ground truth. */
export interface SmokeResult {
  ok: boolean;
  frames: number;
  answered: number;
  latencyUs: { p50: number; p99: number; max: number };
  standing: { maxAbsX: number; falls: number };
  moving: { meanSpeed: number; falls: number };
  lifts: number;
  estop: { latencyMs: number; confirmed: boolean; refusedWhileStopped: boolean };
  rows: { recorded: number; verified: number };
  /** what was not as it should be; empty if ok */
  problems: string[];
}

/** Simulated time in which the robot reaches its speed; not measured [s]. */
const SETTLING = 2;
/** Simulated time that a hand takes to lift the robot [s]. */
const LIFTING = 2;

const standing: ArmedMode = { task: 'standing-still', controller: 'standing-still-balancer' };
const moving: ArmedMode = { task: 'moving-straight', controller: 'moving-straight-balancer' };

/**
 * The robot's whole day in a minute: lifted, armed, stands, moves, is stopped, refuses to move, is reset, lifted and
 * stands again.
 * @param seconds simulated time in all, of which a third is standing and a third is moving
 * @param say told what happens
 */
export async function smoke(stage: Stage, seconds: number, say: (line: string) => void): Promise<SmokeResult> {
  const { control, simulator, operator } = stage;
  const rows = new RowCheck();
  control.onRow = (bytes) => rows.take(bytes);
  await control.subscribe({ rows: true, events: false });
  const third = seconds / 3;

  await simulator.request('lift');
  await simulator.wait(LIFTING);
  say('lifted; arming');
  await control.command({ name: 'mode', mode: standing }, operator);
  await simulator.request('mark', { name: 'standing' });
  await simulator.wait(third);
  const stood = await simulator.measure('standing');
  say(`stood still for ${stood.seconds.toFixed(1)} s, at most ${(stood.maxAbsX * 100).toFixed(1)} cm away`);

  await control.command({ name: 'mode', mode: moving }, operator);
  await simulator.wait(SETTLING);
  await simulator.request('mark', { name: 'moving' });
  await simulator.wait(Math.max(third - SETTLING, 1));
  const moved = await simulator.measure('moving');
  say(`moved straight for ${moved.seconds.toFixed(1)} s at ${moved.meanSpeed.toFixed(3)} m/s`);

  const began = performance.now();
  let latencyMs = Number.NaN;
  const { stages } = await control.estop('smoke scenario', (reached) => {
    if (reached === 'confirmed') latencyMs = Math.round((performance.now() - began) * 100) / 100;
  });
  const confirmed = stages.includes('confirmed') && (await simulator.truth()).state === 'estopped';
  say(`e-stopped, confirmed by the motor controller after ${latencyMs} ms`);
  await simulator.wait(1);
  const refusedWhileStopped = await isRefused(control.command({ name: 'mode', mode: standing }, operator));
  const stillStopped = (await simulator.truth()).state === 'estopped';
  say(refusedWhileStopped ? 'asked to stand while stopped: refused' : 'asked to stand while stopped: OBEYED');

  await control.command({ name: 'reset' }, operator);
  await simulator.request('lift');
  await simulator.wait(LIFTING);
  await control.command({ name: 'mode', mode: standing }, operator);
  await simulator.request('mark', { name: 'again' });
  await simulator.wait(Math.max(third - SETTLING - 2 * LIFTING - 1, 1));
  const again = await simulator.measure('again');
  say(`reset, lifted, stood again for ${again.seconds.toFixed(1)} s`);
  const status = await control.status();
  await control.disarm();
  const truth = await simulator.truth();

  // Answers and rows share one connection: the rows that control had sent by the time of its status came before it.
  const sent = status.counters['rows.sent'] ?? 0;
  const frames = status.counters.frames ?? 0;
  const answered = status.counters.answered ?? 0;
  const { p50, p99, max } = truth.latencyUs;
  const result: SmokeResult = {
    ok: false,
    frames,
    answered,
    latencyUs: { p50, p99, max },
    standing: { maxAbsX: stood.maxAbsX, falls: stood.falls + again.falls },
    moving: { meanSpeed: moved.meanSpeed, falls: moved.falls },
    lifts: truth.lifts,
    estop: { latencyMs, confirmed, refusedWhileStopped: refusedWhileStopped && stillStopped },
    rows: { recorded: sent, verified: Math.min(rows.whole, sent) },
    problems: [],
  };
  result.problems.push(...problemsOf(result), ...rows.problems);
  result.ok = result.problems.length === 0;
  return result;
}

function problemsOf({ standing, moving, estop, rows, frames, answered }: SmokeResult): string[] {
  const problems: string[] = [];
  if (standing.falls + moving.falls > 0) problems.push(`${standing.falls + moving.falls} falls`);
  if (!(standing.maxAbsX < 0.3)) problems.push(`drifted ${standing.maxAbsX} m while standing`);
  if (!(Math.abs(moving.meanSpeed - 0.2) <= 0.03)) problems.push(`moved at ${moving.meanSpeed} m/s`);
  if (!estop.confirmed) problems.push('the e-stop was not confirmed');
  if (!estop.refusedWhileStopped) problems.push('it could be armed while stopped');
  if (answered !== frames) problems.push(`${frames - answered} frames were not answered`);
  if (rows.verified < rows.recorded) problems.push(`${rows.recorded - rows.verified} rows were lost`);
  return problems;
}

async function isRefused(command: Promise<void>): Promise<boolean> {
  try {
    await command;
    return false;
  } catch (error) {
    if (error instanceof EdgeError && error.codeName === 'requestRefused') return true;
    throw error;
  }
}

/** Every row that comes is decoded and fits the one before it. */
export class RowCheck {
  /** rows that were whole and in order */
  whole = 0;
  readonly problems: string[] = [];
  #previous: Row | undefined;

  take(bytes: Uint8Array): Row | undefined {
    const row = decodeRow(bytes);
    if (row === undefined) {
      this.problems.push('a row could not be decoded');
      return undefined;
    }
    const before = this.#previous;
    if (before && row.sequence <= before.sequence)
      this.problems.push(`row ${row.sequence} came after ${before.sequence}`);
    this.#previous = row;
    this.whole += 1;
    return row;
  }
}
