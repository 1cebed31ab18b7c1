import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError, messageOf } from '../../errors.ts';
import { bundleFiles, sha256 } from '../../policy/bundle.ts';
import { type Manifest, parseManifest } from '../../policy/manifest.ts';
import { modelReasons } from '../../policy/vet-model.ts';
import { openPolicy } from '../controllers/policies.ts';
import type { PolicyRunner } from '../controllers/policy-runner.ts';
import { hashText } from '../tape/describe-run.ts';

/**
 * A policy to be tried on a recording. Who signed it, and whether it has expired, is for the robot that is to run it to ask;
 * here nothing moves. Its model is looked at as on a robot all the same.
 * @throws EdgeError `bundleInvalid`, `modelInvalid`
 */
export async function policyFrom(folder: string): Promise<PolicyRunner> {
  const remedy = 'name a policy bundle: a folder with policy.onnx and manifest.json';
  let manifestText: string;
  let model: Buffer;
  try {
    manifestText = readFileSync(join(folder, bundleFiles.manifest.name), 'utf8');
    model = readFileSync(join(folder, bundleFiles.model.name));
  } catch (error) {
    throw new EdgeError('bundleInvalid', `cannot read the bundle ${folder}: ${messageOf(error)}`, remedy);
  }
  const parsed = parseManifest(manifestText);
  const reasons = parsed.ok ? reasonsAgainst(parsed.manifest, model) : parsed.problems;
  if (!parsed.ok || reasons.length > 0)
    throw new EdgeError('bundleInvalid', `${folder}: ${reasons.join('; ')}`, remedy);
  return await openPolicy({ manifest: parsed.manifest, model });
}

const reasonsAgainst = (manifest: Manifest, model: Uint8Array): readonly string[] =>
  sha256(model) === manifest.model.sha256
    ? modelReasons(model, manifest)
    : ['model: its sha256 is not the one in the manifest'];

/** Two policies may share a model, and still see it through other eyes. @param hash as a tape has it */
export const policyKey = (id: string, hash: string): string => `${id} ${hash}`;

/** All policies in some folders of bundles, by `policyKey`. What cannot be used is left out. */
export async function policiesIn(folders: readonly string[]): Promise<ReadonlyMap<string, PolicyRunner>> {
  const policies = new Map<string, PolicyRunner>();
  for (const folder of folders) {
    if (!existsSync(folder)) {
      throw new EdgeError('fileUnreadable', `there is no folder ${folder}`, 'name a folder of policy bundles');
    }
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const policy = await policyFrom(join(folder, entry.name)).catch(() => undefined);
      if (policy) policies.set(policyKey(policy.id, hashText(policy.hash)), policy);
    }
  }
  return policies;
}
