import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isWheel, type JointName, jointNames, legJoints } from '../../robot/joints.ts';
import { upInBody } from '../../robot/kinematics.ts';
import { loadRobot } from '../../robot/robot.ts';
import { JointAction } from '../joint-action.ts';
import { actionSchema, jointTermsOf, observationSchema } from '../manifest-terms.ts';
import { Observer } from '../observation.ts';
import { readMetadata } from './metadata.ts';
import { overridesSchema } from './overrides.ts';
import { planImport } from './plan.ts';

const robot = loadRobot('wheel-legged');

const unit = fc.double({ min: -2, max: 2, noNaN: true });
const list = (length: number) => fc.array(unit, { minLength: length, maxLength: length });
/** What exporters leave of a number. */
const text = (value: number) => value.toFixed(3);

/** A trainer's joint: its angle is sign · (ours − zero). */
interface TheirJoint {
  readonly name: JointName;
  readonly sign: 1 | -1;
  readonly zero: number;
}

const anyJoints: fc.Arbitrary<TheirJoint[]> = fc
  .tuple(
    fc.shuffledSubarray([...jointNames], { minLength: 6 }),
    fc.array(fc.constantFrom<1 | -1>(1, -1), { minLength: 6, maxLength: 6 }),
    list(6),
  )
  .map(([names, signs, zeros]) => names.map((name, at) => ({ name, sign: signs[at] ?? 1, zero: zeros[at] ?? 0 })));

const termNames = [
  'projected_gravity',
  'base_ang_vel',
  'base_quat',
  'joint_pos',
  'joint_vel',
  'actions',
  'command',
] as const;

const anyCase = fc.record({
  joints: anyJoints,
  terms: fc.shuffledSubarray([...termNames], { minLength: 1 }),
  termScales: list(termNames.length),
  histories: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: termNames.length, maxLength: termNames.length }),
  byDefault: list(6),
  actionScale: list(6),
  damping: fc.double({ min: 0.01, max: 1, noNaN: true }),
  steps: fc.array(
    fc.record({
      quaternion: fc.tuple(unit, unit, unit, unit).filter((q) => Math.hypot(...q) > 0.1),
      rate: fc.tuple(unit, unit, unit),
      position: list(6),
      velocity: list(6),
      action: list(6),
    }),
    { minLength: 1, maxLength: 6 },
  ),
});

it('names and numbers of the metadata mean what they mean where the policy was trained', () => {
  fc.assert(
    fc.property(anyCase, (one) => {
      const their = (at: number) => `joint${at}`;
      const entries = {
        joint_names: one.joints.map((_, at) => their(at)).join(),
        default_joint_pos: one.byDefault.map(text).join(),
        action_scale: one.actionScale.map(text).join(),
        observation_names: one.terms.join(),
        observation_terms_scale: one.terms.map((_, at) => text(one.termScales[at] ?? 1)).join(),
        observation_terms_history_length: one.terms.map((_, at) => text(one.histories[at] ?? 1)).join(),
      };
      const { metadata, reasons } = readMetadata(Object.entries(entries).map(([key, value]) => ({ key, value })));
      expect(reasons).toEqual([]);
      const width = (term: (typeof termNames)[number]) =>
        ({ projected_gravity: 3, base_ang_vel: 3, base_quat: 4, joint_pos: 6, joint_vel: 6, actions: 6, command: 3 })[
          term
        ];
      const plan = planImport({
        metadata,
        robot,
        inputs: one.terms.reduce((sum, term, at) => sum + width(term) * (one.histories[at] ?? 1), 0),
        outputs: 6,
        overrides: overridesSchema.parse({
          gains: 'robot',
          wheels: 'velocity',
          joints: Object.fromEntries(one.joints.map((joint, at) => [their(at), joint])),
          actions: Object.fromEntries(
            one.joints.flatMap(({ name }, at) => (isWheel(name) ? [[their(at), { damping: one.damping }]] : [])),
          ),
        }),
      });
      expect(plan.reasons).toEqual([]);
      const observer = new Observer(observationSchema.parse(plan.observation));
      const action = new JointAction(jointTermsOf(actionSchema.parse(plan.action)) ?? []);

      // The trainer's own code, step by step, in its own coordinates.
      const past = one.terms.map((): number[][] => []);
      let lastAction = Array<number>(6).fill(0);
      const rounded = (values: readonly number[]) => values.map((value) => Number(text(value)));
      const [byDefault, actionScale] = [rounded(one.byDefault), rounded(one.actionScale)];
      for (const { quaternion, rate, position, velocity, action: decided } of one.steps) {
        const length = Math.hypot(...quaternion);
        const [w, x, y, z] = quaternion.map((part) => part / length) as [number, number, number, number];
        const ours = (values: readonly number[], name: JointName) => values[jointNames.indexOf(name)] ?? Number.NaN;
        const theirs = one.joints.map(({ name, sign, zero }) => sign * (ours(position, name) - zero));
        const values = {
          projected_gravity: upInBody({ w, x, y, z }).map((part) => -part),
          base_ang_vel: rate,
          base_quat: (w < 0 ? [-w, -x, -y, -z] : [w, x, y, z]) as readonly number[],
          joint_pos: theirs.map((value, at) => value - (byDefault[at] ?? 0)),
          joint_vel: one.joints.map(({ name, sign }) => sign * ours(velocity, name)),
          actions: lastAction,
          command: [0.2, 0, 0],
        };
        const expected = one.terms.flatMap((term, at) => {
          const scale = Number(text(one.termScales[at] ?? 1));
          const history = past[at] ?? [];
          history.push(values[term].map((value) => value * scale));
          const [first = []] = history;
          const times = one.histories[at] ?? 1;
          while (history.length > times) history.shift();
          const filled = [...Array<number[]>(times - history.length).fill(first), ...history];
          return filled.flat();
        });
        const got = observer.observe({
          ...{ x: 0, v: 0, pitch: 0, pitchRate: 0, targetVelocity: 0.2, previousAction: 0 },
          body: { attitude: { w, x, y, z }, angularVelocity: rate, jointPosition: position, jointVelocity: velocity },
          previousActions: action.previousActions,
        });
        expect(got.length).toBe(expected.length);
        for (const [at, value] of expected.entries()) expect(got[at]).toBeCloseTo(value, 4);

        expect(action.decide(decided)).toBe(true);
        lastAction = decided;
        const target = (name: JointName) => {
          const at = one.joints.findIndex((joint) => joint.name === name);
          const { sign = 1, zero = 0 } = one.joints[at] ?? {};
          const offset = isWheel(name) ? 0 : (byDefault[at] ?? 0);
          return sign * (offset + (actionScale[at] ?? 0) * (decided[at] ?? 0)) + (isWheel(name) ? 0 : zero);
        };
        const [left, right] = [velocity[4] ?? 0, velocity[5] ?? 0];
        const request = action.request([left, right]);
        for (const [at, name] of legJoints.entries()) expect(request.legs[at]).toBeCloseTo(target(name), 9);
        const torques = [
          one.damping * (target('wheelLeft') - left),
          one.damping * (target('wheelRight') - right),
        ] as const;
        expect(request.total).toBeCloseTo(torques[0] + torques[1], 9);
        expect(request.steering).toBeCloseTo((torques[0] - torques[1]) / 2, 9);
      }
    }),
    { numRuns: 300 },
  );
});
