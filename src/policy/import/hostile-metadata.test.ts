import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadRobot } from '../../robot/robot.ts';
import { completeManifest } from '../bundle.ts';
import { formatManifest, parseManifest } from '../manifest.ts';
import { mjlabMetadata, standingModel, standingOverrides } from './foreign.testing.ts';
import { importPolicy } from './import-policy.ts';
import { readMetadata } from './metadata.ts';
import { shown } from './shown.ts';

const robot = loadRobot('wheel-legged');
const good = mjlabMetadata(robot);
const keys = [
  ...Object.keys(good),
  'observation_terms_scale',
  'observation_terms_clip',
  'observation_terms_history_length',
  'control_hz',
  'step_dt',
  'timestep',
  'decimation',
  'action_type',
];
const read = (entries: Array<[string, string]>) => readMetadata(entries.map(([key, value]) => ({ key, value })));

const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom(
    'nan',
    'NaN,nan',
    'inf',
    '-inf;inf',
    '1e400',
    '1e-400',
    '5e-324',
    '1e300',
    '0x10',
    '1_000',
    '',
    ',',
    ',,,',
    '[]',
    '[[1]]',
    '{"a":1}',
    'null',
    '\u001b[2J',
    'left_hip\u0000',
    'left_\u202ehip',
    'left_hip,left_hip',
    '__proto__',
    'constructor',
    'toString,hasOwnProperty',
    '-0',
    '1,2,3,4,5,6,7',
    '1;2;3',
    '9'.repeat(400),
    'a,'.repeat(5000),
    'x'.repeat(100_000),
  ),
  fc.array(fc.double().map(String), { maxLength: 8 }).map((list) => list.join(',')),
);

describe('metadata that means no good', () => {
  it('is read without a word too many: every reason is one line of plain ASCII', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...keys), hostileText), { maxLength: 12 }), (entries) => {
        const { metadata, reasons } = read(entries);
        for (const reason of reasons) {
          expect(reason).toMatch(/^metadata: [\x20-\x7e…]+$/);
          expect(reason.length).toBeLessThan(600);
        }
        for (const list of [
          metadata.actionScale,
          metadata.defaultJointPos,
          metadata.jointStiffness,
          metadata.jointDamping,
        ]) {
          expect(list?.every(Number.isFinite) ?? true).toBe(true);
        }
        for (const list of [metadata.jointNames, metadata.observationNames]) {
          expect(list?.every((name) => /^[\w.:/-]{1,64}$/.test(name)) ?? true).toBe(true);
          expect(new Set(list).size).toBe(list?.length ?? 0);
        }
        expect(metadata.rate === undefined || (metadata.rate > 0 && Number.isFinite(metadata.rate))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('in a model gives a reason or a bundle whose manifest is in order, and never an exception', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(...keys), hostileText), { minLength: 1, maxLength: 3 }),
        async (changes) => {
          const model = standingModel(robot, { ...good, ...Object.fromEntries(changes) });
          const { bundle, reasons } = await importPolicy(model, {
            robot,
            overrides: standingOverrides,
            task: 'standing-still',
            id: 'hostile',
            version: 1,
            from: '\u001b[2J\n.onnx',
            now: new Date(0),
          });
          for (const reason of reasons) expect(reason).toMatch(/^[^\p{Cc}\p{Cf}]*$/u);
          if (!bundle) {
            expect(reasons.length).toBeGreaterThan(0);
            return;
          }
          const text = formatManifest(completeManifest(bundle.draft, bundle.model));
          for (const line of text.split('\n')) expect(line).toMatch(/^[^\p{Cc}\p{Cf}]*$/u);
          expect(parseManifest(text).ok).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('names what stands there twice, and takes neither for the truth', () => {
    expect(
      read([
        ['action_scale', '1'],
        ['action_scale', '2'],
      ]).reasons,
    ).toEqual(['metadata: action_scale stands there twice; export the model again']);
    expect(read([['joint_names', 'hip,knee,hip']]).reasons[0]).toContain('names "hip" twice');
  });

  it.each([
    ['action_scale', 'nan', /"nan", which is no finite number/],
    ['action_scale', '1,inf', /"inf", which is no finite number/],
    ['joint_stiffness', '150.0,abc', /"abc", which is no finite number/],
    ['joint_names', 'left_hip,\u001b[31mleft_knee', /"\\u001b\[31mleft_knee", which is no name/],
    ['observation_names', 'x'.repeat(100_000), /has 100000 characters/],
    ['default_joint_pos', '0,'.repeat(300), /has 301 items, at most 256/],
    ['control_hz', '-50', /is no number from 1e-6/],
    ['observation_terms_clip', 'nan;nan', /"nan;nan", which is no number/],
  ])('%s of %j is named', (key, value, reason) => {
    const { reasons } = read([[key, value]]);
    expect(reasons).toEqual([expect.stringMatching(reason)]);
  });

  it('is left alone where nobody asks for it', () => {
    expect(
      read([
        ['surprise', 'x'.repeat(1e6)],
        ['__proto__', '{}'],
      ]),
    ).toMatchObject({ reasons: [] });
  });

  it('is shown short, quoted and harmless', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 300 }),
        (text) => /^"[\x20-\x7e…]*"$/.test(shown(text)) && shown(text).length < 320,
      ),
    );
  });
});
