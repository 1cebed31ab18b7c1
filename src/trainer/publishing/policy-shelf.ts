import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError, messageOf } from '../../errors.ts';
import { bundleFiles } from '../../policy/bundle.ts';
import { type Manifest, parseManifest } from '../../policy/manifest.ts';
import type { DurableFiles } from '../durable-files.ts';

export interface ShelvedPolicy {
  readonly id: string;
  readonly version: number;
  readonly folder: string;
}

/** A policy as it goes to robots: exact bytes. */
export interface PolicyFiles {
  readonly manifest: Manifest;
  readonly manifestText: string;
  readonly signatureText: string;
  readonly model: Uint8Array;
}

/** Every policy that passed the gate: `policies/{id}/{version}/`. None is ever changed or taken away. */
export class PolicyShelf {
  readonly directory: string;
  readonly #files: DurableFiles;

  constructor(files: DurableFiles, directory: string) {
    this.#files = files;
    this.directory = directory;
  }

  folder({ id, version }: { readonly id: string; readonly version: number }): string {
    return join(this.directory, id, String(version));
  }

  /** Versions of a policy, rising. */
  versions(id: string): number[] {
    return this.#files
      .list(join(this.directory, id))
      .filter((name) => /^[1-9]\d{0,15}$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  }

  newest(id: string): ShelvedPolicy | undefined {
    const version = this.versions(id).at(-1);
    return version === undefined ? undefined : { id, version, folder: this.folder({ id, version }) };
  }

  /** @throws EdgeError `fileUnreadable`, `bundleInvalid` */
  read(policy: { readonly id: string; readonly version: number }): PolicyFiles {
    const folder = this.folder(policy);
    const bytes = (name: string): Buffer => {
      try {
        return readFileSync(join(folder, name));
      } catch (error) {
        throw new EdgeError(
          'fileUnreadable',
          `cannot read ${join(folder, name)}: ${messageOf(error)}`,
          'check the disk',
        );
      }
    };
    const manifestText = bytes(bundleFiles.manifest.name).toString();
    const parsed = parseManifest(manifestText);
    if (!parsed.ok) {
      throw new EdgeError(
        'bundleInvalid',
        `${folder}: manifest: ${parsed.problems.join('; ')}`,
        'order a training anew',
      );
    }
    return {
      manifest: parsed.manifest,
      manifestText,
      signatureText: bytes(bundleFiles.signature.name).toString(),
      model: bytes(bundleFiles.model.name),
    };
  }
}
