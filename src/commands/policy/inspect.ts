import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { bundleFiles } from '../../policy/bundle.ts';
import { inspectModel } from '../../policy/onnx-inspect.ts';
import { say, sayJson } from '../output.ts';
import { readBundleFile, readManifest, readModelOf } from './bundle-files.ts';

interface InspectOptions {
  json?: boolean;
}

export function registerInspect(policy: Command): void {
  policy
    .command('inspect')
    .description('what a bundle says of itself: manifest, model, signature; it trusts nothing of it')
    .argument('<folder>', 'the bundle')
    .option('--json', 'print one JSON object as the last line')
    .action(inspect);
}

function inspect(folder: string, options: InspectOptions): void {
  const { manifest } = readManifest(folder);
  const model = inspectModel(readModelOf(folder, manifest));
  const signed = existsSync(join(folder, bundleFiles.signature.name));
  const signature = signed ? readBundleFile(folder, bundleFiles.signature).toString('utf8').trim() : '';
  const keyId = keyIdOf(signature);
  const operators = [...new Set(model.operators.map(({ type }) => type))].toSorted();
  if (options.json) {
    const { golden, ...rest } = manifest;
    const facts = { ...rest.model, operators, inputs: model.inputs, outputs: model.outputs };
    sayJson({ ok: true, ...rest, golden: golden.pairs.length, model: facts, signature: { signed, keyId } });
    return;
  }
  const { observation, action, training } = manifest;
  const history = observation.history > 1 ? `, ${observation.history} of each` : '';
  const lines = [
    `${manifest.id} version ${manifest.version}: ${manifest.task} on ${manifest.robot}, ${manifest.rate} Hz, by ${manifest.algorithm}`,
    manifest.description,
    `observation  ${observation.terms.map(({ name }) => name).join(', ')}${history}`,
    `action       ${action.terms.map((term) => JSON.stringify(term)).join(', ')}`,
    `model        ${manifest.model.bytes} bytes, sha256 ${manifest.model.sha256}`,
    `             operator set ${manifest.model.opset}: ${operators.join(', ')}`,
    `golden pairs ${manifest.golden.pairs.length}, tolerance ${manifest.golden.tolerance}`,
    `training     ${training ? JSON.stringify(training) : 'not stated'}`,
    `created      ${manifest.created}, expires ${manifest.expires}`,
    `signature    ${signed ? `by key ${keyId || '?'}, not checked here: h2o-edge policy verify` : 'none'}`,
  ];
  for (const line of lines) if (line !== '') say(line);
}

function keyIdOf(signature: string): string {
  try {
    const { keyId } = JSON.parse(signature) as { keyId?: unknown };
    return typeof keyId === 'string' ? keyId.slice(0, 64) : '';
  } catch {
    return '';
  }
}
