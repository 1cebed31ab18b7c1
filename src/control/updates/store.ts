import { webcrypto } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../errors.ts';
import { domains, verify } from '../../keys/signature.ts';
import type { TrustStore } from '../../keys/trust-store.ts';
import { bundleFiles } from '../../policy/bundle.ts';
import { type Manifest, parseManifest } from '../../policy/manifest.ts';
import type { VersionRecord } from './slots.ts';
import { syncFolder } from './slots-file.ts';

/** Where control keeps the bytes that it has verified: `store/<id>/<version>/` of the policies in the state directory. */
export class VersionStore {
  readonly root: string;

  constructor(folder: string) {
    this.root = folder;
  }

  baseOf(id: string): string {
    return join(this.root, id);
  }

  folderOf(id: string, version: number): string {
    return join(this.root, id, String(version));
  }

  /**
   * The bytes of a version as they were verified, read without holding up this thread; they are held against what was written
   * down then, since a disk forgets and others may write on it.
   * @returns a text when they are not the same
   */
  async load(
    id: string,
    { version, sha256, manifest, keyId }: Pick<VersionRecord, 'version' | 'sha256' | 'manifest' | 'keyId'>,
    trust: TrustStore,
  ): Promise<{ readonly manifest: Manifest; readonly model: Uint8Array } | string> {
    try {
      const folder = this.folderOf(id, version);
      const [text, signature, model] = await Promise.all([
        read(join(folder, bundleFiles.manifest.name), bundleFiles.manifest.most),
        read(join(folder, bundleFiles.signature.name), bundleFiles.signature.most),
        read(join(folder, bundleFiles.model.name), bundleFiles.model.most),
      ]);
      if ((await sumOf(text)) !== manifest) return 'store: the manifest on the disk is not the one that was verified';
      if ((await sumOf(model)) !== sha256) return 'store: the model on the disk is not the one that was verified';
      const signed = verify(domains.bundle, text, JSON.parse(signature.toString()), trust, 'release');
      if (!signed.ok) return `signature: ${signed.reason} (key ${keyId})`;
      const parsed = parseManifest(text.toString());
      if (!parsed.ok || parsed.manifest.id !== id) return 'store: the manifest cannot be read';
      return { manifest: parsed.manifest, model };
    } catch (error) {
      return `store: the files of version ${version} cannot be read: ${messageOf(error)}`;
    }
  }

  async remove(id: string, version: number): Promise<void> {
    await rm(this.folderOf(id, version), { recursive: true, force: true });
    await syncFolder(this.baseOf(id));
  }
}

async function read(path: string, most: number): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile() || stat.size === 0 || stat.size > most)
      throw new Error(`${path} is no file of at most ${most} bytes`);
    const bytes = Buffer.alloc(stat.size);
    for (let length = 0; length < stat.size; ) {
      const { bytesRead } = await file.read(bytes, length, stat.size - length, length);
      if (bytesRead === 0) throw new Error(`${path} is cut off`);
      length += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

/** sha256 in another thread: 16 MB would hold up this one for two frames. */
const sumOf = async (bytes: Uint8Array): Promise<string> =>
  Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes)).toString('hex');
