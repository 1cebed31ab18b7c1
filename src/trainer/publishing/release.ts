import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError, messageOf } from '../../errors.ts';
import { readPrivateKey } from '../../keys/key-pair.ts';
import { domains, sign } from '../../keys/signature.ts';
import { bundleFiles, completeManifest } from '../../policy/bundle.ts';
import { formatManifest, parseManifest } from '../../policy/manifest.ts';
import type { DurableFiles } from '../durable-files.ts';
import type { JobRecord, JobSegments } from '../jobs/job-record.ts';
import type { PolicyShelf } from './policy-shelf.ts';

export interface ReleaseOptions {
  readonly job: JobRecord;
  /** folder that the training wrote its policy to */
  readonly trained: string;
  readonly segments: JobSegments;
  readonly trainer: string;
  readonly keyFile: string;
  readonly shelf: PolicyShelf;
  readonly files: DurableFiles;
  /** wall clock [ms since 1970] */
  readonly now: number;
}

const YEAR_MS = 365 * 24 * 3600 * 1000;
/** Segments that a manifest names one by one; it has to stay small enough to be offered in one message. */
const MOST_NAMED = 256;

/**
 * Signs the policy of a job and puts it on the shelf, once: a policy that this very job put there before is left as it is.
 * @returns sha256 of the model
 * @throws EdgeError `keyInvalid`, `fileUnreadable`, `bundleInvalid`, `modelInvalid`
 */
export function releasePolicy(options: ReleaseOptions): string {
  const { job, trained, segments, trainer, keyFile, shelf, files, now } = options;
  const { id, version } = job.policy;
  const folder = shelf.folder(job.policy);
  if (shelf.versions(id).includes(version)) {
    const { manifest } = shelf.read(job.policy);
    if (manifest.training?.job === job.id && manifest.training?.trainer === trainer) return manifest.model.sha256;
    throw new EdgeError(
      'jobInterrupted',
      `${folder} holds a policy of another job (${String(manifest.training?.job)})`,
      'move it away; versions of one policy must come from one trainer',
    );
  }
  const key = readPrivateKey(keyFile);
  const { manifestText, model } = read(trained);
  const parsed = parseManifest(manifestText);
  if (!parsed.ok) throw new EdgeError('bundleInvalid', `${trained}: ${parsed.problems.join('; ')}`, 'train anew');
  const { model: _, ...draft } = parsed.manifest;
  const named = segments.length <= MOST_NAMED ? { segmentSums: segments.map(({ sha256 }) => sha256) } : {};
  const manifest = completeManifest(
    {
      ...draft,
      id,
      version,
      training: {
        ...(draft.training ?? { data: null, seed: job.seed, steps: job.steps, revision: null, engine: null }),
        trainer,
        job: job.id,
        recorded: { ...job.data, ...named },
        gate: job.gate?.evaluations ?? null,
      },
      created: new Date(now).toISOString(),
      expires: new Date(now + YEAR_MS).toISOString(),
    },
    model,
  );
  const text = formatManifest(manifest);
  const signature = sign(domains.bundle, Buffer.from(text), key);
  files.place(
    folder,
    new Map<string, Uint8Array>([
      [bundleFiles.model.name, model],
      [bundleFiles.manifest.name, Buffer.from(text)],
      [bundleFiles.signature.name, Buffer.from(`${JSON.stringify(signature)}\n`)],
    ]),
  );
  return manifest.model.sha256;
}

function read(folder: string): { readonly manifestText: string; readonly model: Uint8Array } {
  try {
    return {
      manifestText: readFileSync(join(folder, bundleFiles.manifest.name), 'utf8'),
      model: readFileSync(join(folder, bundleFiles.model.name)),
    };
  } catch (error) {
    throw new EdgeError(
      'bundleInvalid',
      `the policy in ${folder} cannot be read: ${messageOf(error)}`,
      'order the training anew',
    );
  }
}
