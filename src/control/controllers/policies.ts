import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { TrustStore } from '../../keys/trust-store.ts';
import type { Config } from '../../messages/config.ts';
import { MAX_OBSERVATION } from '../../messages/row.ts';
import { JointAction } from '../../policy/joint-action.ts';
import { type Manifest, observationSize, policyHash } from '../../policy/manifest.ts';
import { jointTermsOf } from '../../policy/manifest-terms.ts';
import { type BodyReadings, Observer } from '../../policy/observation.ts';
import { loadPolicy, type PolicySession, vetLatency } from '../../policy/runtime.ts';
import { vetBundle } from '../../policy/vet.ts';
import type { Robot } from '../../robot/robot.ts';
import type { TaskState } from '../../robot/tasks/task.ts';
import { taskByName } from '../../robot/tasks/tasks.ts';
import type { PolicyMemory, PolicyRunner } from './policy-runner.ts';

export interface LoadedPolicies {
  readonly policies: ReadonlyMap<string, PolicyRunner>;
  /** why others were not taken, by id */
  readonly refused: ReadonlyMap<string, string>;
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
  const policies = new Map<string, PolicyRunner>();
  const refused = new Map<string, string>();
  for (const directory of bundleFolders(config.policies)) {
    const verdict = await vetBundle(directory, { robot, trust, now: Date.now() });
    const reasons = [...verdict.reasons];
    const { policyAllowList } = config;
    if (policyAllowList.length > 0 && !policyAllowList.includes(verdict.id)) {
      reasons.push('not-allowed: it is not on policyAllowList of the configuration');
    }
    if (policies.has(verdict.id)) reasons.push(`id: another bundle is called ${verdict.id} already`);
    if (verdict.manifest && observationSize(verdict.manifest.observation) > MAX_OBSERVATION) {
      reasons.push(`observation: longer than the ${MAX_OBSERVATION} numbers that a row can hold`);
    }
    if (verdict.bundle && reasons.length === 0) {
      const session = await loadPolicy(verdict.bundle);
      reasons.push(...(await latencyReasons(session, verdict.bundle.manifest, config)));
      if (reasons.length === 0) policies.set(verdict.id, new OnnxPolicy(session, verdict.bundle.manifest));
      else await session.release();
    }
    if (reasons.length > 0) {
      refused.set(verdict.id, reasons.join('; '));
      log.warn({ policy: verdict.id, directory, reasons }, 'policy refused');
    }
  }
  return { policies, refused };
}

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
/** Folders of bundles in the configured ones. */
export function bundleFolders(parents: readonly string[]): string[] {
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
  readonly joints: JointAction | undefined;
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
    const joints = jointTermsOf(manifest.action);
    this.joints = joints && new JointAction(joints);
    this.torqueScale = joints ? 1 : manifest.action.terms[0].scale;
  }

  get observation(): readonly number[] {
    return this.#observation;
  }

  get outOfRange(): boolean {
    return this.#observer.outOfRange;
  }

  reset(): void {
    this.#observer.reset();
    this.joints?.reset();
  }

  remember(): PolicyMemory {
    const observed = this.#observer.remember();
    return this.joints ? { ...observed, joints: this.joints.remember() } : observed;
  }

  recall(memory: PolicyMemory): void {
    this.#observer.recall(memory);
    if (memory.joints) this.joints?.decide(memory.joints);
    this.#observation = memory.vector;
  }

  async decide(state: TaskState, sentTorque: number, body?: BodyReadings): Promise<number> {
    const vector = this.#observer.observe({
      ...state,
      targetVelocity: this.#targetVelocity,
      previousAction: sentTorque / this.torqueScale,
      body,
      previousActions: this.joints?.previousActions,
    });
    this.#observation = Array.from(vector);
    const action = await this.#session.run(vector);
    if (this.joints) return this.joints.decide(action) ? 0 : Number.NaN;
    return action[0] ?? Number.NaN;
  }
}
