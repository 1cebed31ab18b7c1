import type { Logger } from 'pino';
import type { TrustStore } from '../../keys/trust-store.ts';
import type { Config } from '../../messages/config.ts';
import { sha256 } from '../../policy/bundle.ts';
import type { Robot } from '../../robot/robot.ts';
import { type LoadedBundle, type LoadedPolicies, loadBundle } from '../controllers/policies.ts';
import type { PolicyRunner } from '../controllers/policy-runner.ts';
import { readFrom } from './bundle-place.ts';
import * as versions from './slots.ts';
import type { VersionStore } from './store.ts';

export interface LoadVersionsParts {
  readonly config: Config;
  readonly robot: Robot;
  readonly trust: TrustStore;
  readonly log: Logger;
  readonly store: VersionStore;
  /** as `slots.json` has them */
  readonly slots: versions.Slots;
  readonly folders: LoadedPolicies;
  readonly now: number;
}

export interface LoadedVersions {
  readonly slots: versions.Slots;
  /** by id: what modes find */
  readonly policies: Map<string, PolicyRunner>;
  /** by id and version: also those that a rollback returns to */
  readonly opened: ReadonlyMap<string, PolicyRunner>;
}

const verifiedOf = ({ manifest, text, keyId }: LoadedBundle): versions.Verified => ({
  id: manifest.id,
  version: manifest.version,
  sha256: manifest.model.sha256,
  manifest: sha256(text),
  spec: sha256(Buffer.from(JSON.stringify([manifest.task, manifest.rate, manifest.observation, manifest.action]))),
  keyId,
});

/**
 * Which version of each policy runs when control starts: what `slots.json` says, verified and tried anew like every bundle,
 * or, where that does not hold, the version before it; and a newer one that a person has put into a folder. Called before the
 * port is opened.
 */
export async function loadVersions(parts: LoadVersionsParts): Promise<LoadedVersions> {
  const { config, robot, trust, log, store, folders, now } = parts;
  const trusted = (keyId: string) => trust.keys.has(keyId);
  let slots = versions.restarted(parts.slots, now);
  const opened = new Map<string, PolicyRunner>();

  const open = async (id: string, version: number): Promise<boolean> => {
    if (opened.has(versions.keyOf(id, version))) return true;
    const record = versions.recordOf(slots, id, version);
    const found = record ? await bundleOf(id, record) : 'unknown: it is not on record';
    if (typeof found !== 'string') {
      opened.set(versions.keyOf(id, version), found.policy);
      return true;
    }
    log.warn({ policy: id, version, reason: found }, 'policy version refused');
    slots = versions.unloadable(slots, id, version, [found], now);
    return false;
  };
  const bundleOf = async (id: string, record: versions.VersionRecord): Promise<LoadedBundle | string> => {
    const inFolder = folders.bundles.get(id);
    if (record.from === 'folder') {
      const isThere = inFolder && inFolder.manifest.version === record.version;
      return isThere ? inFolder : `folder: no folder of the configuration holds version ${record.version}`;
    }
    const files = readFrom({ base: store.baseOf(id), name: String(record.version) });
    const { bundle, reasons } = await loadBundle(id, files, { config, robot, trust });
    if (!bundle) return reasons.join('; ');
    const same = sha256(bundle.text) === record.manifest && bundle.manifest.model.sha256 === record.sha256;
    return same ? bundle : 'store: the bundle on the disk is not the one that was verified';
  };

  for (const bundle of folders.bundles.values()) slots = versions.found(slots, verifiedOf(bundle), trusted, now);
  const policies = new Map<string, PolicyRunner>();
  for (const id of Object.keys(slots.slots)) {
    // Each refusal leaves one fewer that may be tried.
    for (;;) {
      const { active } = versions.slotOf(slots, id);
      if (active === null || (await open(id, active))) break;
    }
    const bundle = folders.bundles.get(id);
    if (versions.slotOf(slots, id).active === null && bundle) {
      slots = versions.found(slots, verifiedOf(bundle), trusted, now);
      const { active } = versions.slotOf(slots, id);
      if (active !== null) await open(id, active);
    }
    for (;;) {
      const { previous } = versions.slotOf(slots, id);
      if (previous === null || (await open(id, previous))) break;
    }
    const { active } = versions.slotOf(slots, id);
    const policy = active === null ? undefined : opened.get(versions.keyOf(id, active));
    if (policy) policies.set(id, policy);
  }
  return { slots, policies, opened };
}
