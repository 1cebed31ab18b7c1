import { z } from 'zod';
import { sigmaModes } from '../statistics.ts';

const knob = <Schema extends z.ZodType>(schema: Schema, description: string): Schema =>
  schema.describe(description) as Schema;
const positive = z.number().positive();
const share = z.number().min(0).max(1);
const count = z.int().positive();
const bounds = z
  .tuple([z.number(), z.number()])
  .refine(([low, high]) => low < high, { error: 'must rise' })
  .nullable();
const widths = z.array(count).min(1).max(4);
const perState = z.strictObject({ x: positive, v: positive, pitch: positive, pitchRate: positive });

const entropy = (default_: string) =>
  knob(z.boolean(), `Whether the critic's target counts the entropy of the next action. The authors: \`${default_}\`.`);

const gap = z.strictObject({
  weight: knob(
    z.number().nonnegative(),
    'β of the penalty on the value of simulated pairs whose dynamics differ. 0 turns it off.',
  ),
  samples: knob(count, 'Samples around s′ for the gap u of each pair.'),
  sigma: knob(
    z.enum(sigmaModes),
    'What these samples are spread by. `change`: the spread of s′ − s. `state`: the spread of s; with standardised ' +
      'discriminators u is then always 0. `published`: that of the authors’ buffer, whose memory is mostly zeros: 0.3 of `state`, by accident.',
  ),
  sigmaRatio: knob(positive, 'Multiplies that spread.'),
  temperature: knob(positive, 'T of the log-sum-exp over simulated pairs: near 0 the greatest value counts alone.'),
  clip: knob(bounds, 'Bounds of the penalty before its weight; outside it has no gradient. `null`: none.'),
  ceiling: knob(positive, 'Greatest u. The discriminators’ own bound is 4.'),
  gate: knob(
    z.enum(['masked', 'floor']),
    'What happens to a pair without a gap. `masked`: it leaves the penalty, and a batch of such pairs has none. `floor`: u is at ' +
      'least 1e-45 as in the authors’ code, where it depends on the rest of the batch whether that is 0 in single precision, and a batch of such pairs is penalised uniformly.',
  ),
  form: knob(
    z.enum(['softmax', 'mean']),
    '`softmax`: T·log Σ exp((Q + log ω)/T), mostly the greatest Q. `mean`: Σ ω·Q.',
  ),
  adaptive: knob(z.boolean(), '`false`: every simulated pair counts the same, whatever its gap.'),
});

/**
 * Everything that a training run can be told besides task, algorithm, data and seed. A recipe is data: it is written into
 * the manifest of what it trained.
 */
export const recipeSchema = z.strictObject({
  name: knob(z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/), 'How manifests and tables call it.'),
  decisionRate: knob(
    positive,
    'Decisions a second [Hz]; the sensor rate over it must be a whole number, and between decisions the action is held. At 200 ' +
      'Hz a discount of 0.99 sees half a second, at 50 Hz two: the policy then no longer runs away slowly.',
  ),
  observation: z
    .strictObject({
      scale: knob(
        perState,
        'Multiplies each number of the state before any network sees it; 1/scale is what counts as large.',
      ),
      hiddenWhenMoving: knob(
        z.array(z.enum(['x', 'v', 'pitch', 'pitchRate'])).max(3),
        'Numbers that the networks do not see in tasks that travel. x there leaves the range of training within seconds, and the reward does not depend on it.',
      ),
    })
    .describe(
      'What the networks see. Written into the manifest as observation terms, so that the robot sees the same.',
    ),
  reward: z
    .strictObject({
      scale: knob(positive, 'Multiplies rewards before learning; results are always told in the task’s own.'),
      offset: knob(
        z.strictObject({ 'standing-still': z.number(), 'moving-straight': z.number() }),
        'Subtracted from every reward of a task before it is scaled. Near the reward of a good moment it takes the ceiling of Q from thousands to hundreds, and the penalty’s clip no longer binds.',
      ),
    })
    .describe('Rewards as the critic sees them.'),
  networks: z
    .strictObject({
      hidden: knob(widths, 'Hidden layers of policy, Q and V. 32-32 are enough for the four numbers of the robot.'),
      discriminatorHidden: knob(
        widths,
        'Hidden layers of both discriminators; they are the dearest part of a step of H2O.',
      ),
    })
    .describe('Sizes of the networks.'),
  training: z
    .strictObject({
      steps: knob(count, 'Decisions in the simulator, and as many gradient steps.'),
      round: knob(count, 'So many decisions in the simulator, then as many gradient steps, in turn.'),
      warmUp: knob(z.int().nonnegative(), 'Random decisions before the first gradient step.'),
      batch: knob(
        count,
        'Rows of a batch; half real and half simulated where an algorithm uses both, else of one kind.',
      ),
      simRows: knob(count, 'Length of the simulator’s replay ring; a short one forgets the early, bad policies.'),
      learningRate: knob(positive, 'Of every optimiser (Adam).'),
      decay: knob(
        z.strictObject({ from: share, to: share }).nullable(),
        'Learning rate falls linearly from this share of the run to this share of itself at the end. `null`: constant.',
      ),
      discount: knob(z.number().min(0).lt(1), 'γ, a decision.'),
      tau: knob(z.number().gt(0).max(1), 'How fast target networks follow, a step.'),
      targetEntropy: knob(
        z.number().nullable(),
        'Entropy that the temperature aims at. `null`: minus the number of actions.',
      ),
      alphaMultiplier: knob(positive, 'Multiplies the temperature.'),
      learnsAlpha: knob(z.boolean(), '`false`: the temperature stays at its multiplier.'),
      weightAverage: knob(
        z.number().min(0).lt(1),
        'Moving average of the policy’s weights, which is then what is evaluated and exported. 0: the weights themselves.',
      ),
    })
    .describe('The loop and what all algorithms share.'),
  discriminators: z
    .strictObject({
      inputs: knob(
        z.enum(['standardised', 'raw']),
        '`raw`: s, a, s′ as they are (the authors). `standardised`: s and a less their mean over their spread in the real data, and s′ − s likewise in place of s′, which is then not drowned by s.',
      ),
      noise: knob(z.number().nonnegative(), 'Spread of the noise on their inputs while they learn.'),
      batch: knob(count, 'Rows of each source for their update.'),
      importanceClip: knob(
        bounds,
        'Bounds of the weight w of simulated rows in H2O and H2O+. `null`: w = 1, no weighing.',
      ),
    })
    .describe('The two classifiers that tell real transitions from simulated ones: DARC, DARC+, H2O, H2O+.'),
  sac: z.strictObject({ backupEntropy: entropy('true') }).describe('SAC: the simulator alone.'),
  cql: z
    .strictObject({
      backupEntropy: entropy('false'),
      actions: knob(count, 'Actions of each of the three kinds for every state.'),
      conservatism: knob(
        z.number().nonnegative(),
        'Weight of the term that pushes the value of other actions down. The original has 5, the authors of H2O+ 2.',
      ),
      temperature: knob(positive, 'T of its log-sum-exp.'),
      clip: knob(bounds, 'Bounds of that term. `null`: none.'),
    })
    .describe('CQL: the real data alone.'),
  darc: z
    .strictObject({
      backupEntropy: entropy('true'),
      correctionClip: knob(
        bounds,
        'Bounds of what is added to simulated rewards. `null`: those of the discriminators, ±4.',
      ),
    })
    .describe('DARC and DARC+.'),
  h2o: z.strictObject({ backupEntropy: entropy('false'), gap: gap.describe('The penalty of H2O.') }).describe('H2O.'),
  'h2o+': z
    .strictObject({
      backupEntropy: entropy('true'),
      quantile: knob(
        z.number().gt(0).lt(1),
        'κ of V’s expectile regression on real rows; towards 1 the best that they hold.',
      ),
      exploit: knob(share, 'Share of that V in the critic’s target, against the value that the policy hopes for.'),
    })
    .describe('H2O+.'),
  mix: z
    .strictObject({ backupEntropy: entropy('true') })
    .describe('Half real, half simulated, and no idea of the gap.'),
});
export type Recipe = z.output<typeof recipeSchema>;
