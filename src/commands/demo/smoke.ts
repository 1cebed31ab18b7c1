import { EdgeError } from '../../errors.ts';
import { Heartbeat } from '../heartbeat.ts';
import type { RobotClient } from '../robot-client.ts';
import type { SimulatorClient } from '../simulator-client.ts';
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
  /** times that simulated time stood still because this machine stalled; see `robot-sim --patience` */
  slips: number;
  estop: { latencyMs: number; confirmed: boolean; refusedWhileStopped: boolean };
  /** rows that control made, and rows that another process read back from disk */
  rows: { recorded: number; verified: number };
  /** what was not as it should be; empty if ok */
  problems: string[];
}

/** Simulated time in which the robot reaches its speed; not measured [s]. */
const SETTLING = 2;
/** Simulated time that a hand takes to lift the robot [s]. */
const LIFTING = 2;
/** Simulated time between two heartbeats [s]. */
const BEAT = 0.2;

/**
 * The robot's whole day in a minute, over MQTT: lifted, armed, stands, moves, is stopped, refuses to move, is reset, lifted
 * and stands again; then another process reads back what was recorded.
 * @param seconds simulated time in all, of which a third is standing and a third is moving
 * @param say told what happens
 */
export async function smoke(stage: Stage, seconds: number, say: (line: string) => void): Promise<SmokeResult> {
  const result: SmokeResult = {
    ok: false,
    frames: 0,
    answered: 0,
    latencyUs: { p50: 0, p99: 0, max: 0 },
    standing: { maxAbsX: 0, falls: 0 },
    moving: { meanSpeed: 0, falls: 0 },
    lifts: 0,
    slips: 0,
    estop: { latencyMs: 0, confirmed: false, refusedWhileStopped: false },
    rows: { recorded: 0, verified: 0 },
    problems: [],
  };
  try {
    await perform(stage, seconds, result, say);
  } catch (error) {
    // A day that ends early is a result too: what was found until then, and what ended it.
    if (!(error instanceof EdgeError)) throw error;
    result.problems.push(error.message);
  }
  result.problems.push(...problemsOf(result));
  result.ok = result.problems.length === 0;
  return result;
}

async function perform(stage: Stage, seconds: number, result: SmokeResult, say: (line: string) => void): Promise<void> {
  const { simulator, operator } = stage;
  const { 'standing-still': standing, 'moving-straight': moving } = stage.modes;
  const robot: RobotClient = stage.remote ?? stage.control;
  const third = seconds / 3;
  const fell = (falls: number) => (falls > 0 ? `, and FELL ${falls} times` : '');

  await simulator.request('lift');
  await simulator.wait(LIFTING);
  say('lifted; arming');
  await robot.command({ name: 'mode', mode: standing }, operator);
  await simulator.request('mark', { name: 'standing' });
  await simulator.wait(third);
  const stood = await simulator.measure('standing');
  result.standing = { maxAbsX: stood.maxAbsX, falls: stood.falls };
  say(
    `stood for ${stood.seconds.toFixed(1)} s, at most ${(stood.maxAbsX * 100).toFixed(1)} cm away${fell(stood.falls)}`,
  );

  const heart = new SimulatedHeart(simulator, robot);
  await robot.command({ name: 'mode', mode: moving, session: heart.session }, operator);
  const beating = heart.beat();
  await simulator.wait(SETTLING);
  await simulator.request('mark', { name: 'moving' });
  await simulator.wait(Math.max(third - SETTLING, 1));
  const moved = await simulator.measure('moving');
  result.moving = { meanSpeed: moved.meanSpeed, falls: moved.falls };
  say(`moved for ${moved.seconds.toFixed(1)} s at ${moved.meanSpeed.toFixed(3)} m/s${fell(moved.falls)}`);

  const began = performance.now();
  let latencyMs = Number.NaN;
  const { stages } = await robot.estop('smoke scenario', (reached) => {
    if (reached === 'confirmed') latencyMs = Math.round((performance.now() - began) * 100) / 100;
  });
  heart.stop();
  await beating;
  const confirmed = stages.includes('confirmed') && (await simulator.truth()).state === 'estopped';
  say(`e-stopped, confirmed by the motor controller after ${latencyMs} ms`);
  await simulator.wait(1);
  const refused = await isRefused(robot.command({ name: 'mode', mode: standing }, operator));
  const stillStopped = (await simulator.truth()).state === 'estopped';
  result.estop = { latencyMs, confirmed, refusedWhileStopped: refused && stillStopped };
  say(`asked to stand while stopped: ${refused ? 'refused' : 'OBEYED'}`);

  await stage.confirmReset();
  await robot.command({ name: 'reset' }, operator);
  await simulator.request('lift');
  await simulator.wait(LIFTING);
  await robot.command({ name: 'mode', mode: standing }, operator);
  await simulator.request('mark', { name: 'again' });
  await simulator.wait(Math.max(third - SETTLING - 2 * LIFTING - 1, 1));
  const again = await simulator.measure('again');
  result.standing.falls += again.falls;
  say(`reset, lifted, stood again for ${again.seconds.toFixed(1)} s${fell(again.falls)}`);
  await robot.disarm();

  const { counters } = await robot.status();
  const { latencyUs, lifts, slips } = await simulator.truth();
  result.frames = counters.frames ?? 0;
  result.answered = counters.answered ?? 0;
  result.latencyUs = { p50: latencyUs.p50, p99: latencyUs.p99, max: latencyUs.max };
  result.lifts = lifts;
  result.slips = slips;
  const { made, onDisk, gaps, corrupt } = await stage.readBack();
  result.rows = { recorded: made, verified: onDisk };
  say(`${onDisk} of ${made} rows read back from disk by another process, ${gaps} gaps`);
  if (gaps + corrupt > 0) result.problems.push(`${gaps} gaps and ${corrupt} corrupt segments in the recording`);
}

function problemsOf({ standing, moving, estop, rows, frames, answered }: SmokeResult): string[] {
  const problems: string[] = [];
  if (standing.falls + moving.falls > 0) problems.push(`${standing.falls + moving.falls} falls`);
  if (!(standing.maxAbsX < 0.3)) problems.push(`drifted ${standing.maxAbsX} m while standing`);
  if (!(Math.abs(moving.meanSpeed - 0.2) <= 0.03)) problems.push(`moved at ${moving.meanSpeed} m/s`);
  if (!estop.confirmed) problems.push('the e-stop was not confirmed');
  if (!estop.refusedWhileStopped) problems.push('it could be armed while stopped');
  if (answered !== frames) problems.push(`${frames - answered} frames were not answered`);
  if (rows.verified !== rows.recorded) problems.push(`${rows.recorded - rows.verified} rows were lost`);
  return problems;
}

/** A heart that beats in simulated time, so that the robot holds neither too early nor too late at any pace. */
class SimulatedHeart {
  readonly #heartbeat = new Heartbeat();
  readonly #simulator: SimulatorClient;
  readonly #robot: RobotClient;
  #beating = true;

  constructor(simulator: SimulatorClient, robot: RobotClient) {
    this.#simulator = simulator;
    this.#robot = robot;
  }

  get session(): string {
    return this.#heartbeat.session;
  }

  /** Resolves after `stop`. */
  async beat(): Promise<void> {
    while (this.#beating) {
      this.#heartbeat.beat(this.#robot);
      await this.#simulator.wait(BEAT);
    }
  }

  stop(): void {
    this.#beating = false;
  }
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
