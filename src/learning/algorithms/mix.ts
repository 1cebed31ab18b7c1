import {
  type ActorCriticSettings,
  actorGradients,
  actorMetrics,
  criticGradient,
  nextValue,
  updateActorCritic,
} from '../actor-critic.ts';
import { bellmanLoss, bellmanTarget, mean } from '../losses.ts';
import { features, halves, rows } from '../networks.ts';
import { tf } from '../tf.ts';
import { type Algorithm, InputReader, named } from '../training-step.ts';

export interface MixSettings extends ActorCriticSettings {
  /** rows of each source */
  readonly batch: number;
}

/**
 * SAC on batches of which one half is real and the other simulated, with no idea of the gap: the symmetric sampling of RLPD
 * (Ball et al. 2023) without its ensemble, layer norm and many updates a step. What it does not explain, H2O's estimate does.
 *
 *   y   = r + γ(1 − d)(min Q̄(s', a') − α log π(a'|s'))
 *   J_Q = E_real[(Q_i − y)²] + E_sim[(Q_i − y)²]
 */
export const mix: Algorithm<MixSettings> = {
  name: 'mix',

  inputs: ({ batch }, { action }) => ({
    batches: { real: { from: 'real', rows: batch }, sim: { from: 'sim', rows: batch } },
    normals: { epsMixed: [2 * batch, action], epsRealNext: [batch, action], epsSimNext: [batch, action] },
  }),

  step: (agent, settings) => (inputs) => {
    const given = new InputReader(inputs);
    const [real, sim] = [given.batch('real'), given.batch('sim')];

    const actor = actorGradients(agent, settings, rows(real.s, sim.s), given.one('epsMixed'));

    const epsNext = rows(given.one('epsRealNext'), given.one('epsSimNext'));
    const targetQ = nextValue(agent, settings, rows(real.sNext, sim.sNext), epsNext, actor.alpha);
    const [yReal, ySim] = [real, sim].map(({ r, done }, half) =>
      bellmanTarget(r, done, halves(targetQ)[half] as tf.Tensor, settings.discount),
    ) as [tf.Tensor, tf.Tensor];

    const critic = criticGradient(agent, rows(features(real.s, real.a), features(sim.s, sim.a)), (q) => {
      const [qReal, qSim] = halves(q);
      const [errorReal, errorSim] = [bellmanLoss(qReal, yReal), bellmanLoss(qSim, ySim)];
      return { loss: tf.add(errorReal, errorSim), errorReal, errorSim, meanReal: mean(qReal), meanSim: mean(qSim) };
    });

    const gradients = { alpha: actor.ofAlpha.gradient, policy: actor.ofPolicy.gradient, q: critic.gradient };
    updateActorCritic(agent, settings, gradients, given.pace);
    return {
      ...actorMetrics(actor),
      ...critic.report,
      targetQ: mean(targetQ),
      ...(settings.diagnostics && named('gradient/', gradients)),
    };
  },
};
