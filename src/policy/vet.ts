import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { domains, verify } from '../keys/signature.ts';
import type { TrustStore } from '../keys/trust-store.ts';
import type { Robot } from '../robot/robot.ts';
import { bundleFiles, sha256 } from './bundle.ts';
import { type Manifest, parseManifest } from './manifest.ts';
import { goldenReasons, modelReasons } from './vet-model.ts';

/** A bundle that passed: exactly the bytes that were looked at, whatever happens to the files afterwards. */
export interface VettedBundle {
  readonly manifest: Manifest;
  readonly model: Uint8Array;
  /** of the release key that signed it */
  readonly keyId: string;
}

export interface Verdict {
  readonly ok: boolean;
  /** as the manifest says, else the name of the folder */
  readonly id: string;
  /** if it could be read */
  readonly manifest: Manifest | undefined;
  /**
   * Everything that speaks against the bundle, each "code: words"; the codes are files, manifest, signature, robot, action,
   * expired, model, graph, operators, shape, golden. Empty if ok.
   */
  readonly reasons: readonly string[];
  /** only if ok */
  readonly bundle: VettedBundle | undefined;
}

export interface VetOptions {
  readonly robot: Robot;
  readonly trust: TrustStore;
  /** wall clock [ms since 1970] */
  readonly now: number;
  /**
   * Look into a model that no trusted key has signed, to name all that is wrong with it. For a person's command line; a
   * robot leaves it alone, since a model can be made to take any amount of memory to read.
   */
  readonly inspectUnsigned?: boolean;
  /** Everything but the golden pairs: what has passed is run elsewhere. */
  readonly withoutRunning?: boolean;
}

/** The files of a bundle as they were read: their bytes, or what is wrong with each, in words. */
export interface BundleBytes {
  readonly manifest: Buffer | string;
  readonly signature: Buffer | string;
  readonly model: Buffer | string;
}

/**
 * Reads a bundle once; whoever has these bytes need not care what becomes of the files.
 * @param follow whether a file may be a symbolic link
 */
export function readBundle(directory: string, { follow = true }: { readonly follow?: boolean } = {}): BundleBytes {
  const read = ({ name, most }: { readonly name: string; readonly most: number }) =>
    readBounded(join(directory, name), most, follow);
  return {
    manifest: read(bundleFiles.manifest),
    signature: read(bundleFiles.signature),
    model: read(bundleFiles.model),
  };
}

const signatureSchema = z.strictObject({ keyId: z.string(), signature: z.string() });

/**
 * Decides whether this robot may run a policy bundle, and names everything that speaks against it. Two things are left
 * unsaid about a bundle that is refused already: its model is looked into only if it is the signed one (but see
 * `inspectUnsigned`), and the golden pairs are run only if there is no other reason, since nothing unsigned or forbidden is
 * given to ONNX Runtime. Never throws for anything that stands in the folder.
 */
export async function vetBundle(directory: string, options: VetOptions): Promise<Verdict> {
  return await vetBytes(readBundle(directory), basename(directory), options);
}

/**
 * As `vetBundle`, of what was read already.
 * @param name stands for the id when the manifest does not say one
 */
export async function vetBytes(
  files: BundleBytes,
  name: string,
  { robot, trust, now, inspectUnsigned = false, withoutRunning = false }: VetOptions,
): Promise<Verdict> {
  const reasons: string[] = [];
  const read = (file: keyof BundleBytes): Buffer | undefined => {
    const bytes = files[file];
    if (typeof bytes !== 'string') return bytes;
    reasons.push(`files: ${bundleFiles[file].name} ${bytes}`);
    return undefined;
  };
  const manifestBytes = read('manifest');
  const signatureBytes = read('signature');
  const model = read('model');

  const signer = manifestBytes && signatureBytes ? signerOf(manifestBytes, signatureBytes, trust) : undefined;
  if (signer && 'reason' in signer) reasons.push(`signature: ${signer.reason}`);

  const parsed = manifestBytes ? parseManifest(manifestBytes.toString()) : undefined;
  if (parsed && !parsed.ok) reasons.push(...parsed.problems.map((problem) => `manifest: ${problem}`));
  const manifest = parsed?.ok ? parsed.manifest : undefined;

  if (manifest) reasons.push(...manifestReasons(manifest, robot, now));
  if (manifest && model) {
    if (model.length !== manifest.model.bytes) {
      reasons.push(`model: ${model.length} bytes, the manifest says ${manifest.model.bytes}`);
    }
    const signed = sha256(model) === manifest.model.sha256;
    if (!signed) reasons.push('model: its sha256 is not the one in the manifest');
    if (inspectUnsigned || (signed && signer && 'keyId' in signer)) reasons.push(...modelReasons(model, manifest));
    if (reasons.length === 0 && !withoutRunning) reasons.push(...(await goldenReasons(model, manifest)));
  }

  const ok = reasons.length === 0;
  const bundle =
    ok && manifest && model && signer && 'keyId' in signer ? { manifest, model, keyId: signer.keyId } : undefined;
  return { ok: bundle !== undefined, id: manifest?.id ?? name, manifest, reasons, bundle };
}

function manifestReasons(manifest: Manifest, robot: Robot, now: number): string[] {
  const reasons: string[] = [];
  if (manifest.robot !== robot.name) reasons.push(`robot: made for "${manifest.robot}", this is "${robot.name}"`);
  // Time is asked as "is it still good?": a clock that is no number must not pass for an early one.
  if (!(now < Date.parse(manifest.expires))) reasons.push(`expired: on ${manifest.expires}`);
  for (const { scale } of manifest.action.terms) {
    if (scale <= robot.policy.torqueScale) continue;
    reasons.push(`action: scale ${scale} N·m is above the robot's policy.torqueScale ${robot.policy.torqueScale} N·m`);
  }
  return reasons;
}

function signerOf(manifest: Buffer, file: Buffer, trust: TrustStore): { keyId: string } | { reason: string } {
  const name = bundleFiles.signature.name;
  let json: unknown;
  try {
    json = JSON.parse(file.toString());
  } catch {
    return { reason: `${name} is not JSON` };
  }
  const signature = signatureSchema.safeParse(json);
  if (!signature.success) return { reason: `${name} is not {"keyId", "signature"}` };
  const { keyId } = signature.data;
  const verified = verify(domains.bundle, manifest, signature.data, trust, 'release');
  if (verified.ok) return { keyId };
  const words = {
    'unknown-key': `key ${JSON.stringify(keyId.slice(0, 64))} is not trusted`,
    'wrong-role': `key ${keyId} is not trusted to release policies`,
    'malformed-signature': 'it is not 64 bytes in base64',
    'bad-signature': `it is not one by key ${keyId} over this manifest`,
  } as const;
  return { reason: words[verified.reason] };
}

/** The bytes of a regular file of at most that size, or what is wrong with it. */
function readBounded(path: string, most: number, follow: boolean): Buffer | string {
  let file: number | undefined;
  try {
    // Without O_NONBLOCK a named pipe in the folder would hold us here for ever.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | (follow ? 0 : constants.O_NOFOLLOW);
    file = openSync(path, flags);
    const stat = fstatSync(file);
    if (!stat.isFile()) return 'is not a file';
    if (stat.size === 0) return 'is empty';
    if (stat.size > most) return `has ${stat.size} bytes, allowed are ${most}`;
    // One byte more than there was: a file that somebody goes on writing must not be read for ever.
    const bytes = Buffer.alloc(stat.size + 1);
    let length = 0;
    for (let got = -1; got !== 0 && length < bytes.length; length += got) {
      got = readSync(file, bytes, length, bytes.length - length, length);
    }
    return length <= stat.size ? bytes.subarray(0, length) : 'grew while it was read';
  } catch {
    return 'cannot be read';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
