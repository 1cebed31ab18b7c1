import { z } from 'zod';
import { domains, verify } from '../../keys/signature.ts';
import type { TrustStore } from '../../keys/trust-store.ts';
import type { PolicyOffer } from '../../messages/mqtt-policy.ts';
import type { Status } from '../../messages/status.ts';
import { bundleFiles } from '../../policy/bundle.ts';
import { parseManifest } from '../../policy/manifest.ts';

export interface OfferFacts {
  /** name in this robot's file; undefined when the gateway cannot read it */
  readonly robot: string | undefined;
  /** undefined when the gateway may not read it */
  readonly trust: TrustStore | undefined;
  /** what control knows of versions */
  readonly known: Status['policies'];
  /** wall clock [ms since 1970] */
  readonly now: number;
}

const signatureSchema = z.strictObject({ keyId: z.string(), signature: z.string() });

/**
 * What speaks against fetching a policy that was offered, each "code: words" as control would say it. It saves the way of a
 * model that control would refuse; control believes none of it and looks again.
 */
export function offerReasons(offer: PolicyOffer, { robot, trust, known, now }: OfferFacts): string[] {
  const bytes = Buffer.from(offer.manifest);
  if (bytes.length > bundleFiles.manifest.most)
    return [`files: ${bundleFiles.manifest.name} has ${bytes.length} bytes`];
  const parsed = parseManifest(offer.manifest);
  if (!parsed.ok) return parsed.problems.slice(0, 8).map((problem) => `manifest: ${problem}`);
  const { manifest } = parsed;
  const reasons: string[] = [];
  const differs = (what: string, said: unknown, is: unknown) => {
    if (said !== is) reasons.push(`offer: its ${what} is ${String(said)}, the manifest says ${String(is)}`);
  };
  differs('id', offer.id, manifest.id);
  differs('version', offer.version, manifest.version);
  differs('sha256', offer.model.sha256, manifest.model.sha256);
  differs('length', offer.model.bytes, manifest.model.bytes);
  if (trust) reasons.push(...signatureReasons(bytes, offer.signature, trust));
  if (robot !== undefined && manifest.robot !== robot) {
    reasons.push(`robot: made for "${manifest.robot}", this is "${robot}"`);
  }
  // Time is asked as "is it still good?": a clock that is no number must not pass for an early one.
  if (!(now < Date.parse(manifest.expires))) reasons.push(`expired: on ${manifest.expires}`);
  const highest = Math.max(0, ...verifiedOf(known, offer.id).map(({ version }) => version));
  if (offer.version <= highest) reasons.push(`version: ${offer.version} is not above ${highest}, the highest so far`);
  return reasons;
}

/** Versions of a policy of which control has verified the signature; others may be anybody's word. */
const verifiedOf = (known: Status['policies'], id: string) =>
  known.filter((version) => version.id === id && version.keyId !== undefined);

/** The version that control has or had, if it is this very one. */
export const knownVersion = (offer: PolicyOffer, known: Status['policies']) =>
  verifiedOf(known, offer.id).find(({ version, sha256 }) => version === offer.version && sha256 === offer.model.sha256);

function signatureReasons(manifest: Buffer, text: string, trust: TrustStore): string[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return [`signature: ${bundleFiles.signature.name} is not JSON`];
  }
  const signature = signatureSchema.safeParse(json);
  if (!signature.success) return [`signature: ${bundleFiles.signature.name} is not {"keyId", "signature"}`];
  const verified = verify(domains.bundle, manifest, signature.data, trust, 'release');
  if (verified.ok) return [];
  const key = signature.data.keyId.slice(0, 64);
  const words = {
    'unknown-key': `key ${JSON.stringify(key)} is not trusted`,
    'wrong-role': `key ${key} is not trusted to release policies`,
    'malformed-signature': 'it is not 64 bytes in base64',
    'bad-signature': `it is not one by key ${key} over this manifest`,
  } as const;
  return [`signature: ${words[verified.reason]}`];
}
