import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { generateKeyPair } from '../keys/key-pair.ts';
import { trustEntry, trustStoreOf } from '../keys/trust-store.ts';
import { loadRobot } from '../robot/robot.ts';
import { writeBundle } from './bundle.ts';
import { type ManifestDraft, policyHash } from './manifest.ts';
import { decodeModel, encodeModel, type OnnxModel, type OnnxNode } from './onnx-format.ts';
import { buildLinearPolicy } from './onnx-linear.ts';
import { goldenPairs, loadPolicy, vetLatency } from './runtime.ts';
import { vetBundle } from './vet.ts';

const robot = loadRobot('wheel-legged');
const release = generateKeyPair();
const operator = generateKeyPair();
const trust = trustStoreOf([
  trustEntry(release.publicKey, 'release', 'build'),
  trustEntry(operator.publicKey, 'operator', 'Anna'),
]);
const now = Date.parse('2026-06-01T00:00:00Z');

const linear = buildLinearPolicy({ weights: [[1, -2]], bias: [0.1] });
const observations = [
  [0, 0],
  [0.25, 0],
  [0, 0.25],
  [1, 1],
];
const draft: ManifestDraft = {
  format: 1,
  id: 'test-policy',
  version: 1,
  task: 'standing-still',
  robot: robot.name,
  description: '',
  algorithm: 'test',
  rate: 200,
  observation: { terms: [{ name: 'pitch' }, { name: 'pitchRate' }] },
  action: { terms: [{ name: 'wheelTorque', scale: 3 }] },
  training: null,
  created: '2026-01-01T00:00:00Z',
  expires: '2027-01-01T00:00:00Z',
  golden: { tolerance: 1e-5, pairs: await goldenPairs(linear, 1, observations) },
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bundle-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const write = (changes: Partial<ManifestDraft> = {}, model: Uint8Array = linear, key = release) =>
  writeBundle(directory, { ...draft, ...changes }, model, key.privateKey);
const vet = (at = now) => vetBundle(directory, { robot, trust, now: at });
const codes = (reasons: readonly string[]) => [...new Set(reasons.map((reason) => reason.split(':')[0]))];

function flipBit(name: string): void {
  const path = join(directory, name);
  const bytes = readFileSync(path);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

/** The linear model, changed. */
function changed(change: (model: OnnxModel, nodes: OnnxNode[]) => void): Uint8Array {
  const model = decodeModel(linear);
  const [graph] = model.graph;
  if (graph) change(model, graph.node);
  return encodeModel(model);
}

describe('a bundle that is as it should be', () => {
  it('passes, and runs from the bytes that were vetted', async () => {
    write();
    const verdict = await vet();
    expect(verdict).toMatchObject({ ok: true, id: 'test-policy', reasons: [] });
    if (!verdict.bundle) return expect.unreachable();
    expect(policyHash(verdict.bundle.manifest)).toBeGreaterThan(0n);
    rmSync(join(directory, 'policy.onnx'));
    const session = await loadPolicy(verdict.bundle);
    expect((await session.run([0.25, 0]))[0]).toBeCloseTo(0.35, 6);
    expect(await vetLatency(session, verdict.bundle.manifest, Number.POSITIVE_INFINITY)).toMatchObject({ ok: true });
    expect(await vetLatency(session, verdict.bundle.manifest, 0)).toMatchObject({
      ok: false,
      reasons: [expect.stringMatching(/^latency: p99 /)],
    });
    await session.release();
  });
});

describe('a bundle is refused', () => {
  const damages: readonly [string, () => void, string[]][] = [
    ['a bit of the model flipped', () => flipBit('policy.onnx'), ['model']],
    ['a bit of the signature flipped', () => flipBit('manifest.sig'), ['signature']],
    ['no model', () => rmSync(join(directory, 'policy.onnx')), ['files']],
    ['no manifest', () => rmSync(join(directory, 'manifest.json')), ['files']],
    ['no signature', () => rmSync(join(directory, 'manifest.sig')), ['files']],
    ['an empty model', () => writeFileSync(join(directory, 'policy.onnx'), ''), ['files']],
    ['a manifest out of size', () => writeFileSync(join(directory, 'manifest.json'), ' '.repeat(300_000)), ['files']],
    ['a model out of size', () => writeFileSync(join(directory, 'policy.onnx'), Buffer.alloc(17 << 20)), ['files']],
    ['a signature that is no JSON', () => writeFileSync(join(directory, 'manifest.sig'), 'x'), ['signature']],
    ['a signature that is other JSON', () => writeFileSync(join(directory, 'manifest.sig'), '[]'), ['signature']],
  ];
  it.each(damages)('with %s', async (_name, damage, expected) => {
    write();
    damage();
    const verdict = await vet();
    expect(verdict).toMatchObject({ ok: false, bundle: undefined });
    expect(codes(verdict.reasons)).toEqual(expect.arrayContaining(expected));
  });

  it('with any bit of the manifest flipped', async () => {
    write();
    const path = join(directory, 'manifest.json');
    const bytes = readFileSync(path);
    for (let at = 0; at < bytes.length; at += 17) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      writeFileSync(path, flipped);
      const { ok, reasons } = await vet();
      expect(ok).toBe(false);
      expect(codes(reasons)).toContain('signature');
    }
  });

  it('with a named pipe in the place of a file, and does not wait for it', async () => {
    write();
    rmSync(join(directory, 'policy.onnx'));
    execFileSync('mkfifo', [join(directory, 'policy.onnx')]);
    expect((await vet()).reasons).toEqual(['files: policy.onnx is not a file']);
  });

  it('when there is no such folder', async () => {
    const verdict = await vetBundle(join(directory, 'none'), { robot, trust, now });
    expect(verdict).toMatchObject({ ok: false, id: 'none', reasons: { length: 3 } });
  });

  it('when its key is not trusted, or not for policies', async () => {
    write({}, linear, generateKeyPair());
    expect((await vet()).reasons).toEqual([expect.stringMatching(/^signature: key "[0-9a-f]{16}" is not trusted$/)]);
    write({}, linear, operator);
    expect((await vet()).reasons).toEqual([expect.stringMatching(/^signature: .* not trusted to release policies$/)]);
  });

  it('when it has expired, and when the clock says nothing', async () => {
    write();
    expect((await vet(Date.parse('2027-01-01T00:00:00Z'))).reasons).toEqual(['expired: on 2027-01-01T00:00:00Z']);
    expect((await vet(Number.NaN)).ok).toBe(false);
  });

  it('when it is for another robot, or asks for more torque than this one has', async () => {
    write({ robot: 'other', action: { terms: [{ name: 'wheelTorque', scale: 30 }] } });
    expect(codes((await vet()).reasons)).toEqual(['robot', 'action']);
  });

  const models: readonly [string, Uint8Array, string[]][] = [
    ['takes another number of values', buildLinearPolicy({ weights: [[1, 2, 3]], bias: [0] }), ['shape']],
    [
      'gives two actions',
      buildLinearPolicy({
        weights: [
          [1, 2],
          [3, 4],
        ],
        bias: [0, 0],
      }),
      ['shape'],
    ],
    ['is no model', Buffer.from('not a model at all'), ['model']],
    [
      'calls its input otherwise',
      changed(({ graph: [graph] }, nodes) => {
        for (const value of graph?.input ?? []) value.name = 'state';
        for (const node of nodes) node.input = node.input.map((name) => (name === 'observation' ? 'state' : name));
      }),
      ['shape'],
    ],
    [
      'has a second input',
      changed(({ graph: [graph] }) => graph?.input.push(...graph.output.map((value) => ({ ...value, name: 'more' })))),
      ['shape'],
    ],
    [
      'takes double precision',
      changed(({ graph: [graph] }) => {
        for (const tensor of graph?.input.flatMap(({ type }) => type).flatMap((type) => type.tensor_type) ?? []) {
          tensor.elem_type = 11;
        }
      }),
      ['shape'],
    ],
    ...['If', 'Loop', 'Scan', 'RandomNormal', 'RandomUniformLike', 'Multinomial', 'Expand'].map(
      (type): [string, Uint8Array, string[]] => [
        `uses ${type}`,
        changed((_model, nodes) => nodes.push({ op_type: type, input: ['action'], output: ['other'] })),
        ['operators'],
      ],
    ),
    [
      'uses an operator of another domain',
      changed((_model, nodes) => {
        for (const node of nodes) node.domain = 'com.example';
      }),
      ['operators'],
    ],
    [
      'hides a subgraph in an operator that is allowed',
      changed((_model, [node]) => {
        if (node) node.attribute = [{ name: 'body', g: [{}] }];
      }),
      ['graph'],
    ],
    [
      'defines functions',
      changed((model) => {
        model.functions = [{}];
      }),
      ['graph'],
    ],
    [
      'keeps weights in another file',
      changed(({ graph: [graph] }) => {
        const [weights] = graph?.initializer ?? [];
        if (weights) weights.external_data = [{ key: 'location', value: '/etc/hostname' }];
      }),
      ['graph'],
    ],
    [
      'keeps a constant in another file',
      changed((_model, nodes) => {
        const t = [{ dims: [1], data_type: 1, data_location: 1 }];
        nodes.push({ op_type: 'Constant', input: [], output: ['c'], attribute: [{ name: 'value', t }] });
      }),
      ['graph'],
    ],
    ['has a second graph', Buffer.concat([linear, linear]), ['graph']],
    ['gives NaN', buildLinearPolicy({ weights: [[Number.NaN, 0]], bias: [0] }), ['golden']],
    ['computes something else', buildLinearPolicy({ weights: [[1, -2]], bias: [0.2] }), ['golden']],
    [
      'is not for ONNX Runtime',
      changed((_model, [node]) => {
        if (node) node.input = ['nothing'];
      }),
      ['model'],
    ],
  ];
  it.each(models)('when its model %s, though properly signed', async (_name, model, expected) => {
    if (expected[0] === 'model' && !isModel(model)) {
      expect(() => write({}, model)).toThrow(expect.objectContaining({ codeName: 'modelInvalid' }));
      write();
      writeFileSync(join(directory, 'policy.onnx'), model);
    } else {
      write({}, model);
    }
    const { ok, reasons } = await vet();
    expect(ok).toBe(false);
    expect(codes(reasons)).toEqual(expect.arrayContaining(expected));
  });

  it('when its golden pairs do not fit its model', async () => {
    const pairs = [...draft.golden.pairs.slice(1), { observation: [1], action: [1] }];
    write({ golden: { tolerance: 1e-5, pairs } });
    expect((await vet()).reasons).toEqual(['golden: pair 3 is not 2 numbers in, 1 out']);
  });

  it('with all reasons at once, those inside an unsigned model if asked for', async () => {
    write({ robot: 'other' }, buildLinearPolicy({ weights: [[1]], bias: [0] }), operator);
    const options = { robot, trust, now: Date.parse('2030-01-01T00:00:00Z') };
    expect(codes((await vetBundle(directory, options)).reasons)).toEqual(['signature', 'robot', 'expired']);
    const { reasons } = await vetBundle(directory, { ...options, inspectUnsigned: true });
    expect(codes(reasons)).toEqual(['signature', 'robot', 'expired', 'shape']);
  });
});

function isModel(bytes: Uint8Array): boolean {
  try {
    decodeModel(bytes);
    return true;
  } catch {
    return false;
  }
}
