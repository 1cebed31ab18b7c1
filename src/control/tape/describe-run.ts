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

/** As `TapedRun` names a model. */
export const hashText = (hash: bigint): string => hash.toString(16).padStart(16, '0');
