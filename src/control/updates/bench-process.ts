// The process that tries policies: started by control, and trusted with nothing that moves. It has neither the port nor a way
// to it; all that it can do to control is not to answer. A model that hangs, crashes or eats the memory does so in here.
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf } from '../../errors.ts';
import { trustStoreOf } from '../../keys/trust-store.ts';
import { decodeRow, ROW_BYTES, type Row } from '../../messages/row.ts';
import { bundleFiles, sha256 } from '../../policy/bundle.ts';
import { type Manifest, observationSize } from '../../policy/manifest.ts';
import { jointTermsOf, seesBody } from '../../policy/manifest-terms.ts';
import { type BundleBytes, vetBytes } from '../../policy/vet.ts';
import type { Robot } from '../../robot/robot.ts';
import { robotForTask } from '../../robot/task-limits.ts';
import { openPolicy } from '../controllers/policies.ts';
import type { PolicyRunner } from '../controllers/policy-runner.ts';
import type {
  BenchRequest,
  BundleSummary,
  FromBench,
  Observe,
  ReplayAnswer,
  SelfTestAnswer,
  ToBench,
  VetAnswer,
  VetRequest,
} from './bench-messages.ts';
import { readFrom } from './bundle-place.ts';
import { WouldBeGuarded } from './outside.ts';
import { rehearse } from './rehearsal.ts';
import { selfTest } from './self-test.ts';
import { syncFolder } from './slots-file.ts';

interface Kept {
  readonly files: BundleBytes;
  readonly manifest: Manifest;
  readonly model: Uint8Array;
}

let kept: Kept | undefined;
const rows: Row[] = [];
let shadow: { readonly policy: PolicyRunner; readonly wouldBe: WouldBeGuarded } | undefined;

async function vet({ base, name, robot, trust, now }: VetRequest): Promise<VetAnswer> {
  kept = undefined;
  rows.length = 0;
  const files = readFrom({ base, name });
  const verdict = await vetBytes(files, name, { robot, trust: trustStoreOf(trust), now, withoutRunning: true });
  const { bundle, id, manifest, reasons } = verdict;
  const said = { id, version: manifest?.version ?? 0, sha256: manifest?.model.sha256 ?? '', reasons };
  if (!bundle || typeof files.manifest === 'string') return { ...said, summary: undefined };
  kept = { files, manifest: bundle.manifest, model: bundle.model };
  return { ...said, summary: summaryOf(bundle.manifest, files.manifest, kept, bundle.keyId) };
}

function summaryOf(manifest: Manifest, text: Buffer, { files }: Kept, keyId: string): BundleSummary {
  const { id, version, task, rate, observation, action, model } = manifest;
  return {
    id,
    version,
    task,
    rate,
    sha256: model.sha256,
    manifest: sha256(text),
    spec: sha256(Buffer.from(JSON.stringify([task, rate, observation, action]))),
    keyId,
    observationSize: observationSize(observation),
    bytes: Object.values(files).reduce((sum, bytes) => sum + bytes.length, 0),
  };
}

/** The very bytes that were vetted, all of them or none. */
async function store({ directory, root, most }: Extract<BenchRequest, { do: 'store' }>): Promise<void> {
  const { files } = needed();
  const bytes = (await bytesIn(root)) + Object.values(files).reduce((sum, file) => sum + file.length, 0);
  if (bytes > most)
    throw new Error(`all versions would take ${bytes} bytes, policyUpdates.maxMegabytes allows ${most}`);
  const draft = `${directory}.part`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true });
  for (const file of ['manifest', 'signature', 'model'] as const) {
    const handle = await open(join(draft, bundleFiles[file].name), 'w');
    try {
      await handle.writeFile(files[file]);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
  await syncFolder(draft);
  // What lies there without a record is the rest of a power cut.
  await rm(directory, { recursive: true, force: true });
  await rename(draft, directory);
  await syncFolder(dirname(directory));
  await syncFolder(dirname(dirname(directory)));
}

async function bytesIn(folder: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    sum += entry.isDirectory() ? await bytesIn(path) : (await stat(path)).size;
  }
  return sum;
}

function needed(): Kept {
  if (!kept) throw new Error('no bundle has been vetted');
  return kept;
}

/** Nothing to compare: the rows hold neither what such a policy looks at, nor what another one would have asked of the joints. */
const notRehearsed = { decisions: 0, outside: 0, outsideBefore: 0, rms: 0, max: 0 } as const;

async function replay(robot: Robot, rate: number): Promise<ReplayAnswer> {
  const { observation, action } = needed().manifest;
  if (seesBody(observation) || jointTermsOf(action)) return { found: notRehearsed, reasons: [] };
  const policy = await openPolicy(needed());
  return await rehearse(policy, rows, robot, rate);
}

async function carryOut(request: BenchRequest): Promise<unknown> {
  switch (request.do) {
    case 'vet':
      return await vet(request);
    case 'store':
      return await store(request);
    case 'self-test':
      return (await selfTest(needed(), request.budgetUs)) satisfies SelfTestAnswer;
    case 'rows':
      for (let at = 0; at + ROW_BYTES <= request.rows.length; at += ROW_BYTES) {
        const row = decodeRow(request.rows.subarray(at, at + ROW_BYTES));
        if (row) rows.push(row);
      }
      return undefined;
    case 'replay':
      return await replay(request.robot, request.rate);
    case 'shadow': {
      // Its difference from what is in charge would be one of six numbers that nothing here compares.
      if (jointTermsOf(needed().manifest.action)) throw new Error('a policy of joints is not run as a shadow');
      const policy = await openPolicy(needed());
      const robot = robotForTask(request.robot, policy.task);
      shadow = { policy, wouldBe: new WouldBeGuarded(robot, 1 / request.rate) };
      return undefined;
    }
    case 'unshadow':
      shadow = undefined;
      return undefined;
  }
}

async function observe({ n, reset, state, sentTorque, body }: Observe): Promise<void> {
  if (!shadow) return;
  const { policy, wouldBe } = shadow;
  if (reset) {
    policy.reset();
    wouldBe.begin(sentTorque);
  }
  const began = performance.now();
  const action = await policy.decide(state, sentTorque, body).catch(() => Number.NaN);
  const tookUs = (performance.now() - began) * 1000;
  const outside = wouldBe.isOutside(action, policy.torqueScale);
  say({ observed: n, torque: Math.min(1, Math.max(-1, action)) * policy.torqueScale, tookUs, outside });
}

const say = (answer: FromBench): void => void process.send?.(answer);

let turn: Promise<void> = Promise.resolve();

async function take(message: ToBench): Promise<void> {
  if (message.do === 'observe') return await observe(message);
  const { id } = message;
  try {
    say({ id, ok: true, result: await carryOut(message) });
  } catch (error) {
    say({ id, ok: false, problem: messageOf(error) });
  }
}

// One after the other, as they come.
process.on('message', (message: ToBench) => {
  turn = turn.then(() => take(message));
});
// Control is gone, and with it whoever would want an answer.
process.on('disconnect', () => process.exit());
// Signals to the whole group are meant for control, which ends this one.
process.on('SIGINT', () => {});
process.on('SIGHUP', () => {});
