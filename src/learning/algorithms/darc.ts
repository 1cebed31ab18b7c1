import {
  type ActorCriticSettings,
  actorGradients,
  actorMetrics,
  criticGradient,
  nextValue,
  updateActorCritic,
} from '../actor-critic.ts';
import { descend } from '../agent.ts';
import { type DiscriminatorSettings, discriminatorGradients, logSimToReal } from '../dynamics-ratio.ts';
import { bellmanLoss, bellmanTarget, clip, mean } from '../losses.ts';
import { features } from '../networks.ts';
import { tf } from '../tf.ts';
import { type Algorithm, discriminatorInputs, InputReader, named } from '../training-step.ts';

export interface DarcSettings extends ActorCriticSettings {
  /** simulated rows of a batch */
  readonly batch: number;
  readonly discriminators: DiscriminatorSettings;
  /** bounds of the reward's correction; the discriminators' own are ±4 */
  readonly correctionClip: readonly [number, number];
}

/**
 * DARC (Eysenbach et al. 2021) as the authors of H2O have it: SAC in the simulator, whose rewards are corrected by how much
 * likelier the transition is on the robot. Real rows feed the discriminators alone.
 *
 *   Δr = log p_real(s'|s, a) − log p_sim(s'|s, a)
 *   y  = r + Δr + γ(1 − d)(min Q̄(s', a') − α log π(a'|s'))
 */
export const darc: Algorithm<DarcSettings> = {
  name: 'darc',

  inputs: ({ batch, discriminators }, sizes) => {
    const ofDiscriminators = discriminatorInputs(discriminators.batch, sizes);
    const noise = [batch, sizes.action];
    return {
      batches: { sim: { from: 'sim', rows: batch }, ...ofDiscriminators.batches },
      normals: { ...ofDiscriminators.normals, epsObs: noise, epsNext: noise },
    };
  },

  step: (agent, settings) => (inputs) => {
    const given = new InputReader(inputs);
    const { s, a, r, sNext, done } = given.batch('sim');
    const { scaling } = settings.discriminators;

    const d = discriminatorGradients(agent, given.discriminators(), settings.discriminators);
    descend(agent.dSa, d.gradientSa, given.pace);
    descend(agent.dSas, d.gradientSas, given.pace);

    const correction = clip(tf.neg(logSimToReal(agent, { s, a, sNext }, scaling)), settings.correctionClip);

    const actor = actorGradients(agent, settings, s, given.one('epsObs'));

    const targetQ = nextValue(agent, settings, sNext, given.one('epsNext'), actor.alpha);
    const y = bellmanTarget(tf.add(r, correction), done, targetQ, settings.discount);

    const critic = criticGradient(agent, features(s, a), (q) => ({ loss: bellmanLoss(q, y), mean: mean(q) }));

    const gradients = { alpha: actor.ofAlpha.gradient, policy: actor.ofPolicy.gradient, q: critic.gradient };
    updateActorCritic(agent, settings, gradients, given.pace);
    return {
      ...actorMetrics(actor),
      dSaLoss: d.lossSa,
      dSasLoss: d.lossSas,
      correction: mean(correction),
      ...critic.report,
      targetQ: mean(targetQ),
      ...(settings.diagnostics && {
        ...named('gradient/', { ...gradients, dSa: d.gradientSa, dSas: d.gradientSas }),
        ...named('sample/', { deltaR: correction }),
      }),
    };
  },
};
