import type { TapedRun } from '../../messages/tape.ts';
import type { Robot } from '../../robot/robot.ts';
import type { PolicyRunner } from '../controllers/policy-runner.ts';

/** What a replay has to know of this run of control before its first frame. */
export function describeRun(
  revision: string,
  { directory: _, ...robot }: Robot,
  policies: ReadonlyMap<string, PolicyRunner>,
  latched: boolean,
): TapedRun {
  const hashes = Object.fromEntries([...policies].map(([id, { hash }]) => [id, hashText(hash)]));
  return { revision, robot, policies: hashes, latched };
}

/** The run once the policy of an id is another one. */
export function withPolicy(run: TapedRun, { id, hash }: { readonly id: string; readonly hash: string }): TapedRun {
  const { [id]: _, ...others } = run.policies;
  return { ...run, policies: hash === '' ? others : { ...others, [id]: hash } };
}

/** As `TapedRun` names a model. */
export const hashText = (hash: bigint): string => hash.toString(16).padStart(16, '0');
