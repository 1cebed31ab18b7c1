import { createHash, type KeyObject } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
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

/** Writes a bundle that says by its missing signature that nobody has released it. @throws as `writeBundle` */
export function writeUnsignedBundle(directory: string, draft: ManifestDraft, model: Uint8Array): Manifest {
  const manifest = completeManifest(draft, model);
  writeFiles(directory, { model, manifest: formatManifest(manifest) });
  return manifest;
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
  writeFiles(directory, { model, manifest: text, signature: `${JSON.stringify(signature)}\n` });
  return manifest;
}

/** A file that is not given does not stay from an earlier bundle either. */
function writeFiles(directory: string, contents: Partial<Record<keyof typeof bundleFiles, Uint8Array | string>>): void {
  try {
    mkdirSync(directory, { recursive: true });
    for (const kind of ['model', 'manifest', 'signature'] as const) {
      const path = join(directory, bundleFiles[kind].name);
      const content = contents[kind];
      if (content === undefined) rmSync(path, { force: true });
      else writeFileSync(path, content);
    }
  } catch (error) {
    throw new EdgeError(
      'fileUnreadable',
      `cannot write the bundle to ${directory}: ${messageOf(error)}`,
      'choose a folder that you may write to',
    );
  }
}
