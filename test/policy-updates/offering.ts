import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { PolicyOfferer } from '../../src/commands/policy/offerer.ts';
import type { PolicyVersion } from '../../src/messages/policy-stages.ts';
import { ROBOT } from '../gateway/rig.ts';
import { until } from '../harness.ts';

/** Offers what lies in a folder, whatever it is; nothing is checked on this side. */
export class Offering {
  readonly told: PolicyVersion[] = [];
  readonly #offerer: PolicyOfferer;

  constructor(broker: { readonly url: string }, folder: string) {
    const text = (name: string) => readFileSync(join(folder, name), 'utf8');
    const manifest = text('manifest.json');
    const { id, version, model } = JSON.parse(manifest);
    this.#offerer = new PolicyOfferer({
      access: { url: broker.url },
      robot: ROBOT,
      bundle: {
        id,
        version,
        manifest,
        signature: text('manifest.sig'),
        model: readFileSync(join(folder, 'policy.onnx')),
        sha256: model.sha256,
      },
      onProgress: () => {},
      onVersion: (told) => this.told.push(told),
      onProblem: () => {},
    });
    onTestFinished(() => this.#offerer.stop());
    this.#offerer.start();
  }

  /** What became of it. It is not offered any more then. */
  async becomes(stage: PolicyVersion['stage']): Promise<PolicyVersion> {
    const found = await until(`the version is ${stage}`, () => {
      const latest = this.told.at(-1);
      if (latest?.stage === 'refused' && stage !== 'refused') throw new Error(latest.reasons.join('; '));
      return latest?.stage === stage && latest;
    });
    await this.#offerer.stop();
    return found;
  }
}
