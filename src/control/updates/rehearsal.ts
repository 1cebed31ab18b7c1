import type { Replayed } from '../../messages/policy-updates.ts';
import type { Row } from '../../messages/row.ts';
import type { Robot } from '../../robot/robot.ts';
import { robotForTask } from '../../robot/task-limits.ts';
import type { PolicyRunner } from '../controllers/policy-runner.ts';
import { MORE, POLICY_LIMITS, WouldBeGuarded } from './outside.ts';

/**
 * A policy on rows that control recorded, with the guard in the loop: it sees what was seen then, and what it would have asked
 * for is held against the guard's limits and against what was sent. The robot went its own way, so this finds a policy that is
 * wild, wrong by a sign or not a number where the robot really has been; it does not find out how well it balances.
 * @param rows in the order of their sequence
 * @param rate of the rows [Hz]
 */
export async function rehearse(
  policy: PolicyRunner,
  rows: readonly Row[],
  robot: Robot,
  rate: number,
): Promise<{ readonly found: Replayed; readonly reasons: readonly string[] }> {
  const frames = Math.max(1, Math.round(rate / policy.rate));
  const wouldBe = new WouldBeGuarded(robotForTask(robot, policy.task), 1 / rate);
  let before: Row | undefined;
  let framesToDecision = 0;
  const count = { decisions: 0, outside: 0, outsideBefore: 0, squares: 0, max: 0, notFinite: 0 };
  for (const row of rows) {
    const follows = before !== undefined && row.sequence === before.sequence + 1n && row.episode === before.episode;
    const wanted = row.task === policy.task && row.robotState === 'running' && row.state.every(Number.isFinite);
    const sent = follows && before ? before.commandedTorque : row.commandedTorque;
    before = wanted ? row : undefined;
    if (!wanted) continue;
    if (!follows) {
      policy.reset();
      wouldBe.begin(sent);
      framesToDecision = 0;
    }
    framesToDecision -= 1;
    if (framesToDecision > 0) continue;
    framesToDecision = frames;
    const [x = 0, v = 0, pitch = 0, pitchRate = 0] = row.state;
    const action = await policy.decide({ x, v, pitch, pitchRate }, sent).catch(() => Number.NaN);
    count.decisions += 1;
    if (!Number.isFinite(action)) count.notFinite += 1;
    if (wouldBe.isOutside(action, policy.torqueScale)) count.outside += 1;
    if ((row.limits & POLICY_LIMITS) !== 0) count.outsideBefore += 1;
    const difference = Math.abs(action * policy.torqueScale - row.requestedTorque) / robot.policy.torqueScale;
    if (!Number.isFinite(difference)) continue;
    count.squares += difference ** 2;
    count.max = Math.max(count.max, difference);
  }
  const { decisions, notFinite } = count;
  const share = (number: number) => (decisions === 0 ? 0 : number / decisions);
  const found = {
    decisions,
    outside: share(count.outside),
    outsideBefore: share(count.outsideBefore),
    rms: Math.sqrt(share(count.squares)),
    max: count.max,
  };
  const reasons: string[] = [];
  if (notFinite > 0) reasons.push(`replay: ${notFinite} of ${decisions} actions on recorded rows are not finite`);
  if (found.outside > found.outsideBefore + MORE) {
    reasons.push(
      `replay: the guard would have acted on ${percent(found.outside)} of the recorded rows, it did on ${percent(found.outsideBefore)}`,
    );
  }
  return { found, reasons };
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
