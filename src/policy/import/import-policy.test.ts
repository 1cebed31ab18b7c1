import { describe, expect, it } from 'vitest';
import { loadRobot } from '../../robot/robot.ts';
import { inspectModel } from '../onnx-inspect.ts';
import { foreignModel, mjlabMetadata, standingModel, standingOverrides } from './foreign.testing.ts';
import { readForeign, tryModel } from './foreign-model.ts';
import { type ImportOptions, importPolicy } from './import-policy.ts';
import { type Overrides, overridesSchema } from './overrides.ts';

const robot = loadRobot('wheel-legged');
const good = mjlabMetadata(robot);

const options = (over: Partial<ImportOptions> = {}): ImportOptions => ({
  robot,
  overrides: standingOverrides,
  task: 'standing-still',
  id: 'stand',
  version: 1,
  from: 'stand.onnx',
  now: new Date('2026-06-01T00:00:00Z'),
  ...over,
});

const reasonsOf = async (model: Uint8Array, over: Partial<ImportOptions> = {}) => {
  const { bundle, reasons } = await importPolicy(model, options(over));
  expect(bundle === undefined).toBe(reasons.length > 0);
  return reasons;
};
/** With the metadata of the standing policy but for these; an empty value takes a key away. */
const withMetadata = (changes: Record<string, string>) =>
  standingModel(robot, Object.fromEntries(Object.entries({ ...good, ...changes }).filter(([, value]) => value !== '')));
const overridden = (changes: Partial<Overrides>): Overrides => ({ ...standingOverrides, ...changes });

describe('a model that another project has exported', () => {
  it('becomes a bundle with the names that bundles have and nothing of its metadata, the same every time', async () => {
    const model = standingModel(robot, { ...good, surprise: 'x'.repeat(1000) });
    const { bundle, reasons } = await importPolicy(model, options());
    expect(reasons).toEqual([]);
    const again = await importPolicy(model, options());
    expect(again.bundle).toEqual(bundle);
    const found = inspectModel(bundle?.model ?? new Uint8Array());
    expect(found).toMatchObject({ inputs: [{ name: 'observation' }], outputs: [{ name: 'action' }], metadata: {} });
    expect(bundle?.draft).toMatchObject({ rate: 50, robot: 'wheel-legged', training: { run: 'local/run-1' } });
    expect(bundle?.draft.golden.pairs).toHaveLength(24);
  });

  it('says what it took for granted', async () => {
    const { assumed } = await importPolicy(
      withMetadata({ default_joint_pos: '' }),
      options({ overrides: overridden({ rate: undefined }) }),
    );
    expect(assumed).toEqual(
      [expect.stringContaining('rate: 50 Hz'), expect.stringContaining('default_joint_pos')].reverse(),
    );
  });

  it('may say its rate in any of the ways that exporters do', async () => {
    for (const said of [{ control_hz: '100' }, { step_dt: '0.01' }, { timestep: '0.005', decimation: '2' }]) {
      const { bundle, assumed } = await importPolicy(
        withMetadata(said as Record<string, string>),
        options({ overrides: overridden({ rate: undefined }) }),
      );
      expect(bundle?.draft.rate).toBe(100);
      expect(assumed).toEqual([]);
    }
  });

  it('has history, scales and clips as mjlab writes them', async () => {
    const { bundle, reasons } = await importPolicy(
      foreignModel({
        weights: Array.from({ length: 6 }, () => Array<number>(9 + 6).fill(0.01)),
        metadata: {
          ...good,
          observation_names: 'base_ang_vel,actions',
          observation_terms_history_length: '3.000,0.000',
          observation_terms_flatten_history_dim: '1.000,1.000',
          observation_terms_scale: '0.500;0.500;0.500,1.000',
          observation_terms_clip: '-4.000;2.000,-inf;inf',
        },
      }),
      options({ overrides: overridesSchema.parse({}) }),
    );
    expect(reasons).toEqual([]);
    expect(bundle?.draft.observation.terms[0]).toEqual({
      name: 'angularVelocity',
      history: 3,
      scale: 0.5,
      clip: [-2, 1],
    });
  });
});

describe('what cannot be run is refused, and told why', () => {
  it.each<[string, Uint8Array | (() => Uint8Array), Partial<Overrides>, RegExp]>([
    ['no model', new Uint8Array([1, 2, 3]), {}, /^model: this is no ONNX model/],
    ['nothing', new Uint8Array(0), {}, /^(graph|shape|model): /],
    ['too many bytes', new Uint8Array(17 * 2 ** 20), {}, /^files: the model has 17825792 bytes/],
    [
      'no observation_names',
      withMetadata({ observation_names: '' }),
      { observations: {} },
      /^observations: .*--overrides/,
    ],
    ['no joint_names', withMetadata({ joint_names: '' }), {}, /^joints: the model has no joint_names; .*--overrides/],
    [
      'a sensor that there is not',
      withMetadata({ observation_names: 'height_scan' }),
      { observations: {} },
      /^observations: "height_scan" is nothing .*Known are: projected_gravity/,
    ],
    [
      'a joint that there is not',
      withMetadata({ joint_names: good.joint_names?.replace('left_hip', 'left_elbow') ?? '' }),
      { observations: {} },
      /^joints: "left_elbow" is no joint of wheel-legged/,
    ],
    [
      'two names of one joint',
      withMetadata({ joint_names: 'left_hip,left_thigh,left_wheel,right_hip,right_knee,right_wheel' }),
      { observations: {} },
      /^joints: "left_thigh" is hipLeft, and so is another one/,
    ],
    [
      'a position of a wheel',
      withMetadata({ joint_stiffness: '150,150,8,150,150,8' }),
      {},
      /^actions: "left_wheel" takes no position/,
    ],
    [
      'a wheel without gains',
      withMetadata({ joint_damping: '5,5,-0.0,5,5,-0.0' }),
      {},
      /^actions: "left_wheel" is a wheel, .*--wheels/,
    ],
    [
      'other legs',
      withMetadata({ joint_stiffness: '8,8,0,8,8,0' }),
      {},
      /^gains: joint_stiffness of "left_hip" is 8 N·m\/rad, .*150.*--gains robot/,
    ],
    [
      'actions of another kind',
      withMetadata({ action_type: 'residual_on_gait' }),
      {},
      /^actions: they are said to be "residual_on_gait"/,
    ],
    ['no scale', withMetadata({ action_scale: '' }), {}, /^actions: "left_hip" has no scale/],
    [
      'a scale beyond reason',
      withMetadata({ action_scale: '1e9' }),
      {},
      /^actions: "left_hip" has a scale of 1000000000/,
    ],
    [
      'scales for others',
      withMetadata({ action_scale: '1,2,3' }),
      {},
      /^actions: action_scale has 3 numbers for 6 actions/,
    ],
    [
      'gains for others',
      withMetadata({ joint_damping: '5,5' }),
      {},
      /^joints: joint_damping has 2 numbers for 6 joints/,
    ],
    ['a rate that does not fit', withMetadata({}), { rate: 60 }, /^rate: 60 Hz is no whole part of the robot's 200 Hz/],
    [
      'a history in rows',
      withMetadata({
        observation_terms_history_length: '0,0,3,0,0,0',
        observation_terms_flatten_history_dim: '1,1,0,1,1,1',
      }),
      {},
      /^observations: the history of "base_quat" is not flat/,
    ],
    [
      'overrides of what there is not',
      withMetadata({}),
      { actions: { tail: {} } },
      /^overrides: actions."tail" is no name of this model/,
    ],
    [
      'another batch',
      () => foreignModel({ weights: [[1]], batch: 4 }),
      {},
      /^shape: input "obs" is float32 \[4, 1\], .*export it so/,
    ],
    [
      'one action for six joints',
      () => foreignModel({ weights: [Array<number>(22).fill(1)], metadata: good }),
      {},
      /^actions: the model gives 1 numbers for 6 joints/,
    ],
    [
      'an action that is not finite',
      () => foreignModel({ weights: Array.from({ length: 6 }, () => Array<number>(22).fill(1e36)), metadata: good }),
      {},
      /^finite: on observations up to 1000/,
    ],
  ])('%s', async (_what, model, changes, reason) => {
    const reasons = await reasonsOf(typeof model === 'function' ? model() : model, { overrides: overridden(changes) });
    expect(
      reasons.some((one) => reason.test(one)),
      reasons.join('\n'),
    ).toBe(true);
  });

  it.each([
    ['Loop', /^operators: Loop is not allowed/],
    ['RandomNormalLike', /^operators: RandomNormalLike is not allowed/],
  ])('the operator %s, which ONNX Runtime never sees', async (op_type, reason) => {
    const model = foreignModel({
      weights: [[1]],
      change: (onnx) => ({
        ...onnx,
        graph: onnx.graph.map((graph) => ({
          ...graph,
          node: [...graph.node, { op_type, input: ['obs'], output: ['no'] }],
        })),
      }),
    });
    expect(await reasonsOf(model)).toEqual([expect.stringMatching(reason)]);
  });

  it('a robot whose legs may not be moved', async () => {
    const { motion: _, ...legs } = robot.legs;
    const reasons = await reasonsOf(standingModel(robot), { robot: { ...robot, legs } });
    expect(reasons[0]).toMatch(/^action: it moves hipLeft, and the robot file has no legs.motion/);
  });

  it('a second input, such as a clock', async () => {
    const model = foreignModel({
      weights: [[1]],
      change: (onnx) => ({
        ...onnx,
        graph: onnx.graph.map((graph) => ({
          ...graph,
          input: graph.input.flatMap((one) => [one, { ...one, name: 'time_step' }]),
        })),
      }),
    });
    expect(await reasonsOf(model)).toEqual([
      expect.stringMatching(/^shape: the model has the inputs "obs", "time_step"/),
    ]);
  });

  it('a model that computes something else once it is written anew', async () => {
    const foreign = readForeign(standingModel(robot));
    const other = readForeign(foreignModel({ weights: Array.from({ length: 6 }, () => Array<number>(22).fill(1)) }));
    if ('reasons' in foreign || 'reasons' in other) throw new Error('a model cannot be read');
    const observations = [Array<number>(22).fill(0.5)];
    expect((await tryModel(foreign, observations)).reasons).toEqual([]);
    const { reasons } = await tryModel({ ...foreign, renamed: other.renamed }, observations);
    expect(reasons).toEqual([expect.stringMatching(/^model: written anew it computes something else; export/)]);
  });
});
