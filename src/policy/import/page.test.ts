import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadRobot, modelsDirectory } from '../../robot/robot.ts';
import { parseYaml } from '../../yaml-file.ts';
import { foreignModel, mjlabMetadata } from './foreign.testing.ts';
import { importPolicy } from './import-policy.ts';
import { jointNamed, observationTable } from './names.ts';
import { overridesSchema } from './overrides.ts';

const robot = loadRobot('wheel-legged');
const page = readFileSync(join(modelsDirectory, '..', 'docs', 'policies-from-elsewhere.md'), 'utf8');

it('the page has every name that is known', () => {
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  for (const [theirs, { term }] of Object.entries(observationTable)) {
    expect(
      rows.some((row) => row.includes(`\`${theirs}\``) && row.includes(`\`${term}\``)),
      theirs,
    ).toBe(true);
  }
});

it.each([
  ['left_hip', 'hipLeft'],
  ['hipRight', 'hipRight'],
  ['L_knee_joint', 'kneeLeft'],
  ['right_wheel', 'wheelRight'],
  ['right_hip_pitch_joint', 'hipRight'],
  ['left_calf', 'kneeLeft'],
  ['left_hip_roll_joint', undefined],
  ['hip', undefined],
  ['left', undefined],
  ['left_constructor', undefined],
])('%s is %s', (theirs, ours) => {
  expect(jointNamed(theirs)).toBe(ours);
});

it('the overrides on the page are such as a model needs that has names of its own', async () => {
  const text = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const overrides = parseYaml(text, 'page', overridesSchema, 'bundleInvalid');
  const model = foreignModel({
    weights: Array.from({ length: 6 }, () => Array<number>(4 + 2 + 4 + 9 + 6 + 3).fill(0.01)),
    metadata: {
      ...mjlabMetadata(robot),
      joint_stiffness: '8,8,0,8,8,0',
      observation_names: 'legs_pos,legs_vel,trunk_quat,trunk_rate,actions,command',
    },
  });
  const { reasons, bundle } = await importPolicy(model, {
    robot,
    overrides,
    task: 'moving-straight',
    id: 'upkie',
    version: 2,
    from: 'default.onnx',
    now: new Date(0),
  });
  expect(reasons).toEqual([]);
  const [hip, , wheel] = bundle?.draft.action.terms ?? [];
  expect(hip).toMatchObject({ name: 'hipLeft', scale: -0.25, offset: 0 });
  expect(wheel).toMatchObject({ name: 'wheelLeft', scale: 100, damping: 0.05, clip: [-40, 40] });
});

it('the vocabulary of mjlab_upkie, 22 numbers in and 6 out, is taken as it is', async () => {
  const metadata = {
    ...mjlabMetadata(robot),
    observation_names: 'joints_pos,joints_vel,trunk_imu,trunk_gyro,actions,command',
    default_joint_pos: '0,0,0,0,0,0',
  };
  const { reasons, assumed, bundle } = await importPolicy(
    foreignModel({ weights: Array.from({ length: 6 }, () => Array<number>(22).fill(0.01)), metadata }),
    {
      robot,
      overrides: overridesSchema.parse({}),
      task: 'standing-still',
      id: 'up',
      version: 1,
      from: 'up',
      now: new Date(0),
    },
  );
  expect(reasons).toEqual([]);
  expect(assumed).toEqual([expect.stringContaining('rate: 50 Hz')]);
  expect(bundle?.draft.observation.terms.map(({ name, joints }) => [name, joints?.length])).toEqual([
    ['jointPosition', 4],
    ['jointVelocity', 2],
    ['attitude', undefined],
    ['angularVelocity', undefined],
    ['previousAction', 6],
    ['velocityCommand', undefined],
  ]);
});

it.each([
  [22, ['joint_pos', 'joint_vel']],
  [24, ['joint_vel']],
  [26, ['joint_pos']],
  [28, []],
  [23, undefined],
])('terms of joints in a model that takes %i numbers are of all joints but %j', async (inputs, narrowed) => {
  const { reasons, assumed } = await importPolicy(
    foreignModel({
      weights: Array.from({ length: 6 }, () => Array<number>(inputs).fill(0.01)),
      metadata: mjlabMetadata(robot),
    }),
    {
      robot,
      overrides: overridesSchema.parse({}),
      task: 'standing-still',
      id: 'up',
      version: 1,
      from: 'up',
      now: new Date(0),
    },
  );
  expect(reasons.length).toBe(narrowed ? 0 : 1);
  const said = assumed.filter((words) => words.startsWith('observations: ')).map((words) => words.split(' ')[1]);
  expect(said).toEqual(narrowed ?? []);
});

it('a model without any metadata is told of piece by piece', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const ours = ['hipLeft', 'kneeLeft', 'wheelLeft', 'hipRight', 'kneeRight', 'wheelRight'];
  const overrides = overridesSchema.parse({
    wheels: 'torque',
    jointNames: names,
    joints: Object.fromEntries(names.map((name, at) => [name, ours[at]])),
    observationNames: ['gravity', 'base_ang_vel'],
    observations: { gravity: { term: 'projectedGravity' } },
    actions: Object.fromEntries(names.map((name) => [name, { scale: 0.5 }])),
  });
  const model = foreignModel({ weights: names.map(() => Array<number>(6).fill(0.1)), batch: 'n' });
  const options = {
    robot,
    task: 'standing-still',
    id: 'bare',
    version: 1,
    from: 'bare.onnx',
    now: new Date(0),
  } as const;
  const { reasons, assumed, bundle } = await importPolicy(model, { ...options, overrides });
  expect(reasons).toEqual([]);
  expect(assumed.map((words) => words.split(':')[0])).toEqual(['gains', 'default_joint_pos', 'rate']);
  expect(bundle?.draft.action.terms[2]).toMatchObject({ name: 'wheelLeft', kind: 'torque', scale: 0.5 });
  const nothing = await importPolicy(model, { ...options, overrides: overridesSchema.parse({}) });
  expect(nothing.reasons).toEqual([
    expect.stringContaining('state jointNames in --overrides'),
    expect.stringContaining('state observationNames in --overrides'),
  ]);
});
