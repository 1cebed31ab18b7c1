import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Logger } from 'pino';
import type { TrustStore } from '../../keys/trust-store.ts';
import type { Config } from '../../messages/config.ts';
import { MAX_OBSERVATION } from '../../messages/row.ts';
import { type Manifest, observationSize, policyHash } from '../../policy/manifest.ts';
import { Observer } from '../../policy/observation.ts';
import { loadPolicy, type PolicySession, vetLatency } from '../../policy/runtime.ts';
import { type BundleBytes, readBundle, vetBytes } from '../../policy/vet.ts';
import type { Robot } from '../../robot/robot.ts';
import type { TaskState } from '../../robot/tasks/task.ts';
import { taskByName } from '../../robot/tasks/tasks.ts';
import type { PolicyMemory, PolicyRunner } from './policy-runner.ts';

/** A bundle that may run, and what is to be known of it besides. */
export interface LoadedBundle {
  readonly policy: PolicyRunner;
  readonly manifest: Manifest;
  /** exact bytes of the manifest */
  readonly text: Uint8Array;
  /** of the release key that signed it */
  readonly keyId: string;
}

export interface LoadedPolicies {
  readonly bundles: ReadonlyMap<string, LoadedBundle>;
  /** why others were not taken, by id */
  readonly refused: Map<string, string>;
}

/** A busy moment of the machine is not the policy's fault: the best of so many measurements counts. */
const LATENCY_ROUNDS = 3;

/**
 * Vets and warms every bundle in the configured folders. Called before the port is opened: the runtime's first session
 * blocks for 45 ms, and each run here blocks the thread that will later answer sensor frames.
 */
export async function loadPolicies(
  config: Config,
  robot: Robot,
  trust: TrustStore,
  log: Logger,
): Promise<LoadedPolicies> {
  const bundles = new Map<string, LoadedBundle>();
  const refused = new Map<string, string>();
  for (const directory of bundleFolders(config.policies)) {
    const loaded = await loadBundle(directory, readBundle(directory), { config, robot, trust });
    const twin = bundles.has(loaded.id) ? [`id: another bundle is called ${loaded.id} already`] : [];
    const reasons = [...loaded.reasons, ...twin];
    if (loaded.bundle && reasons.length === 0) bundles.set(loaded.id, loaded.bundle);
    else {
      refused.set(loaded.id, reasons.join('; '));
      log.warn({ policy: loaded.id, directory, reasons }, 'policy refused');
    }
  }
  return { bundles, refused };
}

/** Vets, warms and measures one bundle, in this thread: before the port is opened. */
export async function loadBundle(
  directory: string,
  files: BundleBytes,
  { config, robot, trust }: { readonly config: Config; readonly robot: Robot; readonly trust: TrustStore },
): Promise<{ readonly id: string; readonly reasons: readonly string[]; readonly bundle: LoadedBundle | undefined }> {
  const {
    id,
    bundle,
    manifest,
    reasons: found,
  } = await vetBytes(files, basename(directory), {
    robot,
    trust,
    now: Date.now(),
  });
  const reasons = [...found, ...(manifest ? ownReasons(manifest, config) : allowReasons(id, config))];
  if (!bundle || reasons.length > 0 || typeof files.manifest === 'string') return { id, reasons, bundle: undefined };
  const session = await loadPolicy(bundle);
  const late = await latencyReasons(session, bundle.manifest, config);
  if (late.length > 0) {
    await session.release();
    return { id, reasons: late, bundle: undefined };
  }
  const policy = new OnnxPolicy(session, bundle.manifest);
  return { id, reasons, bundle: { policy, manifest: bundle.manifest, text: files.manifest, keyId: bundle.keyId } };
}

const allowReasons = (id: string, { policyAllowList }: Config): string[] =>
  policyAllowList.length > 0 && !policyAllowList.includes(id)
    ? ['not-allowed: it is not on policyAllowList of the configuration']
    : [];

/** What speaks against a policy besides its bundle. */
export const ownReasons = ({ id, observation }: Pick<Manifest, 'id' | 'observation'>, config: Config): string[] => [
  ...allowReasons(id, config),
  ...(observationSize(observation) > MAX_OBSERVATION
    ? [`observation: longer than the ${MAX_OBSERVATION} numbers that a row can hold`]
    : []),
];

async function latencyReasons(session: PolicySession, manifest: Manifest, config: Config): Promise<readonly string[]> {
  const budgetUs = (config.policyLatencyBudget * 1e6) / manifest.rate;
  let reasons: readonly string[] = [];
  for (let round = 0; round < LATENCY_ROUNDS; round++) {
    const verdict = await vetLatency(session, manifest, budgetUs);
    if (verdict.ok) return [];
    reasons = verdict.reasons;
  }
  return reasons;
}

/** Every folder inside the given ones; a folder that is not there holds none. */
function bundleFolders(parents: readonly string[]): string[] {
  return parents.filter(existsSync).flatMap((parent) =>
    readdirSync(parent, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(parent, entry.name))
      .sort(),
  );
}

/**
 * A policy at work, from a bundle that somebody has looked at.
 * @throws EdgeError `modelInvalid`
 */
export async function openPolicy(bundle: { manifest: Manifest; model: Uint8Array }): Promise<PolicyRunner> {
  return new OnnxPolicy(await loadPolicy(bundle), bundle.manifest);
}

/** A vetted bundle at work. */
class OnnxPolicy implements PolicyRunner {
  readonly id: string;
  readonly task: Manifest['task'];
  readonly rate: number;
  readonly hash: bigint;
  readonly expires: number;
  readonly torqueScale: number;
  readonly #session: PolicySession;
  readonly #observer: Observer;
  readonly #targetVelocity: number;
  #observation: readonly number[] = [];

  constructor(session: PolicySession, manifest: Manifest) {
    this.id = manifest.id;
    this.task = manifest.task;
    this.rate = manifest.rate;
    this.hash = policyHash(manifest);
    this.expires = Date.parse(manifest.expires);
    this.#session = session;
    this.#observer = new Observer(manifest.observation);
    this.#targetVelocity = taskByName(manifest.task).targetVelocity;
    this.torqueScale = manifest.action.terms[0].scale;
  }

  get observation(): readonly number[] {
    return this.#observation;
  }

  get outOfRange(): boolean {
    return this.#observer.outOfRange;
  }

  reset(): void {
    this.#observer.reset();
  }

  remember(): PolicyMemory {
    return this.#observer.remember();
  }

  recall(memory: PolicyMemory): void {
    this.#observer.recall(memory);
    this.#observation = memory.vector;
  }

  async decide(state: TaskState, sentTorque: number): Promise<number> {
    const vector = this.#observer.observe({
      ...state,
      targetVelocity: this.#targetVelocity,
      previousAction: sentTorque / this.torqueScale,
    });
    this.#observation = Array.from(vector);
    const [action = Number.NaN] = await this.#session.run(vector);
    return action;
  }
}
