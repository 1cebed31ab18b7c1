import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { EdgeError } from '../../errors.ts';
import { readPublicKey } from '../../keys/key-pair.ts';
import { readTrustFile, type TrustEntry, trustEntry, trustStoreOf } from '../../keys/trust-store.ts';
import type { ArmedMode } from '../../messages/mode.ts';
import { vetBundle } from '../../policy/vet.ts';
import { loadRobot, modelsDirectory } from '../../robot/robot.ts';
import type { TaskName } from '../../robot/tasks/task.ts';
import { taskNames } from '../../robot/tasks/tasks.ts';

/** What the demo's robot runs in each task, and whose releases it trusts. */
export interface DemoPolicies {
  readonly modes: Readonly<Record<TaskName, ArmedMode>>;
  /** bundles that do not ship, each with the folder that it stands in */
  readonly bundles: readonly { readonly id: string; readonly folder: string }[];
  readonly trusted: readonly TrustEntry[];
}

/**
 * The policies that ship, but for tasks of which another bundle is given.
 * @param folders bundles
 * @param releaseKey public key file of who signed them; the demo's own is always trusted
 * @throws EdgeError `bundleRefused` with every reason; `usage` for two of one task; `keyInvalid`
 */
export async function demoPolicies(folders: readonly string[] = [], releaseKey?: string): Promise<DemoPolicies> {
  const trusted = readTrustFile(join(modelsDirectory, 'keys', 'demo-trust.yaml'));
  if (releaseKey !== undefined) trusted.push(release(readPublicKey(releaseKey)));
  const modes = Object.fromEntries(taskNames.map((task) => [task, { task, controller: `${task}-balancer` }])) as Record<
    TaskName,
    ArmedMode
  >;
  const bundles: { id: string; folder: string }[] = [];
  const robot = loadRobot('wheel-legged');
  for (const folder of folders) {
    const { ok, id, manifest, reasons } = await vetBundle(folder, {
      robot,
      trust: trustStoreOf(trusted),
      now: Date.now(),
    });
    if (!ok || manifest === undefined) {
      throw new EdgeError(
        'bundleRefused',
        `${id} is refused:\n  ${reasons.join('\n  ')}`,
        'each reason says what to mend; --release-key names the public key of who signed it',
      );
    }
    const { task } = manifest;
    if (bundles.some((other) => other.id === modes[task].controller)) {
      throw new EdgeError('usage', `--policy gives two bundles for ${task}`, 'give one for each task');
    }
    modes[task] = { task, controller: id };
    bundles.push({ id, folder });
  }
  return { modes, bundles, trusted };
}

const release = (key: KeyObject): TrustEntry => trustEntry(key, 'release', 'named on the command line');
