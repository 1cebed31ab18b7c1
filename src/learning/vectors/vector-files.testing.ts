import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';

const root = join(import.meta.dirname, '..', '..', '..');
const beside = join(root, '..', 'shared', 'vectors');

/** Folder of the golden numbers: another one by `H2O_VECTORS_DIR`, else what stands beside the project, else what ships. */
export const vectorsDirectory =
  process.env.H2O_VECTORS_DIR ?? (existsSync(beside) ? beside : join(root, 'test', 'fixtures', 'vectors'));

/** Every file of the folder, whatever it is called. */
export const vectorFiles = readdirSync(vectorsDirectory)
  .filter((file) => /\.json(\.gz)?$/.test(file) && file !== 'index.json')
  .sort();

const special: Readonly<Record<string, number>> = { '-inf': -Infinity, inf: Infinity, nan: Number.NaN };
const numberSchema = z.union([
  z.number(),
  z.enum(['-inf', 'inf', 'nan']).transform((text): number => special[text] ?? Number.NaN),
]);
export const arraySchema = z
  .object({ shape: z.array(z.int()), data: z.array(numberSchema) })
  .transform(({ shape, data }) => ({ shape, data: Float32Array.from(data), exact: data }));
export type VectorArray = z.output<typeof arraySchema>;

const networkSchema = z.record(z.string(), z.union([arraySchema, z.number()]));
const setSchema = z.record(z.string(), z.union([z.number(), networkSchema]));
/** Networks by name, and `logAlpha`. */
export type NetworkSet = z.output<typeof setSchema>;

const stepSchema = z.object({
  metrics: z.record(z.string(), numberSchema),
  perSample: z.record(z.string(), arraySchema),
  grads: setSchema.optional(),
  weights: setSchema.optional(),
  logAlpha: z.number().optional(),
});
export type ExpectedStep = z.output<typeof stepSchema>;

const trainingSchema = z.object({
  format: z.literal(1),
  case: z.string(),
  algorithm: z.enum(['sac', 'cql', 'darc', 'h2o', 'h2oplus']),
  dims: z.object({
    obs: z.int(),
    act: z.int(),
    batchPerSource: z.int(),
    dBatchPerSource: z.int(),
    steps: z.int(),
  }),
  config: z.record(z.string(), z.union([z.boolean(), numberSchema, z.string()])),
  adam: z.object({
    lr: z.number(),
    beta1: z.literal(0.9),
    beta2: z.literal(0.999),
    eps: z.literal(1e-8),
    weightDecay: z.literal(0),
    amsgrad: z.literal(false),
  }),
  sigma: arraySchema.optional(),
  offline: z.object({ s: arraySchema, bufferRows: z.int() }).optional(),
  init: setSchema,
  inputs: z.array(
    z.object({
      batches: z.record(z.string(), z.record(z.string(), arraySchema)),
      noise: z.record(z.string(), arraySchema),
    }),
  ),
  expected: z.object({ float32: z.array(stepSchema) }),
});
export type TrainingCase = z.output<typeof trainingSchema>;

/** The JSON of one file. */
export function readVectors(file: string): unknown {
  const bytes = readFileSync(join(vectorsDirectory, file));
  return JSON.parse((file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8'));
}

const algorithmOf = (json: unknown) => z.object({ algorithm: z.string() }).parse(json).algorithm;

/** A file that records training steps; undefined for one that records something else. */
export function readTrainingCase(file: string): TrainingCase | undefined {
  const json = readVectors(file);
  return z.object({ inputs: z.array(z.unknown()) }).safeParse(json).success ? trainingSchema.parse(json) : undefined;
}

/** The files whose `algorithm` is this one and that hold a key of this name. */
export function filesWith(key: string): string[] {
  return vectorFiles.filter((file) => {
    const json = readVectors(file);
    return typeof json === 'object' && json !== null && key in json && algorithmOf(json) !== '';
  });
}

/** [out, in] of the authors' linear layers to [in, out] of ours; anything else as it is. */
export function transposed({ shape, data }: VectorArray): Float32Array {
  const [out = 0, input = 0] = shape;
  if (shape.length !== 2) return data;
  return Float32Array.from(data, (_, index) => data[(index % out) * input + Math.floor(index / out)] ?? Number.NaN);
}
