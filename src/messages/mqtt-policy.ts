import { z } from 'zod';
import { CHUNK_BYTES, chunksOf } from './bulk/chunk-map.ts';
import { MQTT_SCHEMA } from './mqtt-payloads.ts';
import { policyIdSchema, policySlotSchema, policyVersionSchema, sha256Schema } from './policy-stages.ts';

/**
 * Policies on their way to a robot: offered whole but for the model, whose chunks the robot then asks for. The manifest
 * is signed and names the model's sha256, so that neither the broker nor who repeats an offer has to be trusted.
 */

/** Longest manifest and model that are offered [bytes], as in `bundleFiles`. */
export const MAX_OFFERED_MANIFEST = 256 * 1024;
export const MAX_OFFERED_MODEL = 16 * 2 ** 20;
/** Longest `policy/offer` that a robot reads [bytes]: in JSON text, quotes and line ends of the manifest take two bytes. */
export const MAX_POLICY_OFFER = 2 * MAX_OFFERED_MANIFEST + 4096;

const schema = z.literal(MQTT_SCHEMA).describe('Version of the payload.');
const at = z.number().describe("When it was made [ms since 1970, robot's wall clock].");
const version = z.int().positive().describe('Version of the policy; rises with every release of its id.');
/** Who offers: a trainer's id, or the word of a person's tool. */
const from = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, { error: 'lower case letters, digits and "-", at most 32' });

/** `policy/offer`, to the robot. */
export const policyOffer = z
  .strictObject({
    schema,
    from: from.describe('Who offers it and answers `policy/want`: id of a trainer, or a word that a tool made up.'),
    id: policyIdSchema.describe('Name of the policy, as in the manifest.'),
    version,
    manifest: z.string().min(2).max(MAX_OFFERED_MANIFEST).describe('The exact text of `manifest.json`.'),
    signature: z
      .string()
      .min(2)
      .max(1024)
      .describe('The exact text of `manifest.sig`: JSON with `keyId` and `signature`.'),
    model: z
      .strictObject({ sha256: sha256Schema, bytes: z.int().positive().max(MAX_OFFERED_MODEL) })
      .describe('Of `policy.onnx`, as in the manifest.'),
    chunkBytes: z
      .int()
      .min(1024)
      .max(CHUNK_BYTES)
      .describe('Size of a chunk of the model; the last one is shorter [bytes].'),
    chunks: z.int().positive().describe('In how many chunks the model comes.'),
  })
  .refine(({ model, chunkBytes, chunks }) => chunks === chunksOf(model.bytes, chunkBytes), {
    path: ['chunks'],
    error: 'does not fit model.bytes and chunkBytes',
  })
  .describe('A policy that the robot may have. Empty and retained: the offer is withdrawn.');
export type PolicyOffer = z.output<typeof policyOffer>;

/** `policy/want`, from the robot: asks for the chunks that it lacks, at the start and again whenever none came for a while. */
export const policyWant = z.object({
  schema,
  to: from.describe('Who is asked: `from` of the offer. Everybody else keeps quiet.'),
  id: policyIdSchema,
  version,
  sha256: sha256Schema.describe('Of the model.'),
  have: z.string().max(16_384).describe('Chunks that the robot has: bit n mod 8 of byte n div 8, in base64.'),
  attempt: z.int().nonnegative().describe('How often it asked for this model before.'),
});
export type PolicyWant = z.output<typeof policyWant>;

/** User properties of `policy/chunk`; the payload is bare bytes of the model. */
export const policyChunkHeader = z.object({
  sha256: sha256Schema.describe('Of the whole model.'),
  n: z
    .string()
    .regex(/^\d{1,6}$/)
    .describe('Which chunk, from 0.'),
  crc32: z
    .string()
    .regex(/^[0-9a-f]{8}$/)
    .describe('Of this chunk (as in zlib), eight hexadecimal digits.'),
});
export type PolicyChunkHeader = z.output<typeof policyChunkHeader>;

/** `policy/status`, from the robot, retained. */
export const policyStatus = z.object({
  schema,
  at,
  slots: z.array(policySlotSchema).describe('Per policy: which version is active, and which it would go back to.'),
  versions: z.array(policyVersionSchema).describe('Every version that the robot knows, also those that it refused.'),
});
export type PolicyStatus = z.output<typeof policyStatus>;
