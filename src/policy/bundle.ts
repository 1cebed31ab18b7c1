import { createHash, type KeyObject } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError, messageOf } from '../errors.ts';
import { domains, sign } from '../keys/signature.ts';
import { formatManifest, type Manifest, type ManifestDraft, manifestSchema } from './manifest.ts';
import { inspectModel } from './onnx-inspect.ts';

/** The three files of a policy bundle, and how large each may be [bytes]. */
export const bundleFiles = {
  model: { name: 'policy.onnx', most: 16 * 2 ** 20 },
  manifest: { name: 'manifest.json', most: 256 * 2 ** 10 },
  signature: { name: 'manifest.sig', most: 1024 },
} as const;

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/**
 * Completes a manifest with its model's sums.
 * @throws EdgeError `bundleInvalid` naming every wrong key; `modelInvalid`
 */
export function completeManifest(draft: ManifestDraft, model: Uint8Array): Manifest {
  const { opset } = inspectModel(model);
  const parsed = manifestSchema.safeParse({
    ...draft,
    model: { sha256: sha256(model), bytes: model.length, opset },
  });
  if (parsed.success) return parsed.data;
  throw new EdgeError(
    'bundleInvalid',
    parsed.error.issues.map((issue) => `manifest: ${issue.path.join('.')}: ${issue.message}`).join('\n'),
    'correct the named keys of the manifest',
  );
}

/**
 * Writes a signed bundle. The signature is over the manifest's exact bytes, which name the model's sha256. The same input
 * gives the same bytes.
 * @param directory made if it does not exist
 * @throws EdgeError `bundleInvalid`, `modelInvalid`, `fileUnreadable`
 */
export function writeBundle(
  directory: string,
  draft: ManifestDraft,
  model: Uint8Array,
  privateKey: KeyObject,
): Manifest {
  const manifest = completeManifest(draft, model);
  const text = formatManifest(manifest);
  const signature = sign(domains.bundle, Buffer.from(text), privateKey);
  try {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, bundleFiles.model.name), model);
    writeFileSync(join(directory, bundleFiles.manifest.name), text);
    writeFileSync(join(directory, bundleFiles.signature.name), `${JSON.stringify(signature)}\n`);
  } catch (error) {
    throw new EdgeError(
      'fileUnreadable',
      `cannot write the bundle to ${directory}: ${messageOf(error)}`,
      'choose a folder that you may write to',
    );
  }
  return manifest;
}
