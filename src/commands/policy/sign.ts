import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { EdgeError, messageOf } from '../../errors.ts';
import { readPrivateKey } from '../../keys/key-pair.ts';
import { domains, sign } from '../../keys/signature.ts';
import { bundleFiles } from '../../policy/bundle.ts';
import { goldenReasons, modelReasons } from '../../policy/vet-model.ts';
import { say, sayJson } from '../output.ts';
import { readManifest, readModelOf } from './bundle-files.ts';

interface SignOptions {
  key: string;
  json?: boolean;
}

export function registerSign(policy: Command): void {
  policy
    .command('sign')
    .description(
      'sign a bundle as it is: write manifest.sig over manifest.json, if the model is what the manifest says',
    )
    .argument('<folder>', 'the bundle: policy.onnx and manifest.json')
    .requiredOption('--key <file>', 'a private key whose public half robots trust for the role `release`')
    .option('--json', 'print one JSON object as the last line')
    .action(signBundle);
}

async function signBundle(folder: string, options: SignOptions): Promise<void> {
  const key = readPrivateKey(options.key);
  const { text, manifest } = readManifest(folder);
  const model = readModelOf(folder, manifest);
  // Whoever signs answers for it: what every robot would refuse is not worth a signature.
  const reasons = modelReasons(model, manifest);
  if (reasons.length === 0) reasons.push(...(await goldenReasons(model, manifest)));
  if (!(Date.now() < Date.parse(manifest.expires))) reasons.push(`expired: on ${manifest.expires}`);
  if (reasons.length > 0) {
    if (options.json) sayJson({ ok: false, id: manifest.id, reasons });
    throw new EdgeError(
      'bundleRefused',
      `${manifest.id} is not signed:\n  ${reasons.join('\n  ')}`,
      'each reason says what to mend',
    );
  }
  const signature = sign(domains.bundle, Buffer.from(text), key);
  const path = join(folder, bundleFiles.signature.name);
  try {
    writeFileSync(path, `${JSON.stringify(signature)}\n`);
  } catch (error) {
    throw new EdgeError(
      'fileUnreadable',
      `cannot write ${path}: ${messageOf(error)}`,
      'choose a folder that you may write to',
    );
  }
  const { id, version } = manifest;
  if (options.json) sayJson({ ok: true, id, version, keyId: signature.keyId, reasons: [] });
  else say(`${id} version ${version}: signed by key ${signature.keyId}`);
}
