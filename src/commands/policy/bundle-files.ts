import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError, messageOf } from '../../errors.ts';
import { bundleFiles, sha256 } from '../../policy/bundle.ts';
import { type Manifest, parseManifest } from '../../policy/manifest.ts';

/** One file of a bundle on a person's disk. @throws EdgeError `fileUnreadable`, `bundleInvalid` */
export function readBundleFile(
  folder: string,
  { name, most }: { readonly name: string; readonly most: number },
): Buffer {
  const path = join(folder, name);
  try {
    const { size } = statSync(path);
    if (size === 0 || size > most) {
      throw new EdgeError(
        'bundleInvalid',
        `${path} has ${size} bytes, allowed are 1 to ${most}`,
        'name a bundle that is whole',
      );
    }
    return readFileSync(path);
  } catch (error) {
    if (error instanceof EdgeError) throw error;
    throw new EdgeError(
      'fileUnreadable',
      `cannot read ${path}: ${messageOf(error)}`,
      `name the folder of a bundle: it holds ${Object.values(bundleFiles)
        .map((file) => file.name)
        .join(', ')}`,
    );
  }
}

/** @throws EdgeError `bundleInvalid` naming every wrong key, `fileUnreadable` */
export function readManifest(folder: string): { readonly text: string; readonly manifest: Manifest } {
  const text = readBundleFile(folder, bundleFiles.manifest).toString('utf8');
  const parsed = parseManifest(text);
  if (parsed.ok) return { text, manifest: parsed.manifest };
  throw new EdgeError(
    'bundleInvalid',
    `${join(folder, bundleFiles.manifest.name)}:\n  ${parsed.problems.join('\n  ')}`,
    'correct the named keys of the manifest',
  );
}

/** Manifest and model that belong together. @throws EdgeError `bundleInvalid`, `fileUnreadable` */
export function readModelOf(folder: string, manifest: Manifest): Buffer {
  const model = readBundleFile(folder, bundleFiles.model);
  if (model.length === manifest.model.bytes && sha256(model) === manifest.model.sha256) return model;
  throw new EdgeError(
    'bundleInvalid',
    `${join(folder, bundleFiles.model.name)} is not the model that the manifest names`,
    'put the model back that belongs to this manifest, or write a manifest for this one',
  );
}
