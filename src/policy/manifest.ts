import { z } from 'zod';
import { taskNames } from '../robot/tasks/tasks.ts';
import { actionSchema, observationSchema } from './manifest-terms.ts';

export { type ObservationName, type ObservationSpec, observationNames, observationSize } from './manifest-terms.ts';

/** How the policy came about, as far as is known; null where it is not. More may stand beside it. */
const trainingSchema = z.looseObject({
  /** name or sha256 of the data */
  data: z.string().nullable(),
  seed: z.int().nullable(),
  steps: z.int().nonnegative().nullable(),
  /** of the source that trained it */
  revision: z.string().nullable(),
  engine: z.string().nullable(),
});

const goldenSchema = z.strictObject({
  /** largest difference of any action value; what single precision and another machine may do, not more */
  tolerance: z.number().positive().max(0.01),
  pairs: z
    .array(z.strictObject({ observation: z.array(z.number()), action: z.array(z.number()) }))
    .min(4)
    .max(256),
});
export type GoldenPair = z.output<typeof goldenSchema>['pairs'][number];

/** `manifest.json` of a policy bundle, format 1. */
export const manifestSchema = z.strictObject({
  format: z.literal(1),
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: 'lower case letters, digits and "-", at most 63' })
    // The built-in balancer has this name; a bundle that took it would pass for it.
    .refine((id) => id !== 'balancer' && id !== 'disarmed', { error: 'is reserved' }),
  /** rises with every release of this id */
  version: z.int().positive(),
  task: z.enum(taskNames),
  /** name of the robot file that it was made for */
  robot: z.string().regex(/^[a-z0-9-]{1,16}$/),
  description: z.string().max(2000),
  algorithm: z.string().min(1).max(64),
  /** decisions a second [Hz] */
  rate: z.number().min(1).max(1000),
  observation: observationSchema,
  action: actionSchema,
  training: trainingSchema.nullable(),
  created: z.iso.datetime(),
  /** from then on no robot starts it */
  expires: z.iso.datetime(),
  model: z.strictObject({
    sha256: z.string().regex(/^[0-9a-f]{64}$/, { error: 'must be 64 hexadecimal digits' }),
    bytes: z.int().positive(),
    opset: z.int().positive(),
  }),
  golden: goldenSchema,
});
export type Manifest = z.output<typeof manifestSchema>;

/** A manifest before its model is known; defaults may be left out. */
export type ManifestDraft = Omit<z.input<typeof manifestSchema>, 'model'>;

/** First eight bytes of the model's sha256, as rows carry it. */
export function policyHash(manifest: Manifest): bigint {
  return BigInt(`0x${manifest.model.sha256.slice(0, 16)}`);
}

/** Exact text of `manifest.json`: keys in the order of the schema, two spaces, a newline at the end. */
export function formatManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifestSchema.parse(manifest), null, 2)}\n`;
}

export type ParsedManifest =
  | { readonly ok: true; readonly manifest: Manifest }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads the text of a `manifest.json`; every problem is named with its key. Never throws. */
export function parseManifest(text: string): ParsedManifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { ok: false, problems: ['is not JSON'] };
  }
  const parsed = manifestSchema.safeParse(json);
  if (parsed.success) return { ok: true, manifest: parsed.data };
  return {
    ok: false,
    problems: parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`),
  };
}
