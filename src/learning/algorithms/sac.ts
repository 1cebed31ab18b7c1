import {
  type ActorCriticSettings,
  actorGradients,
  actorMetrics,
  criticGradient,
  nextValue,
  updateActorCritic,
} from '../actor-critic.ts';
import { bellmanLoss, bellmanTarget, mean } from '../losses.ts';
import { features } from '../networks.ts';
import { type Algorithm, InputReader, named } from '../training-step.ts';

export interface SacSettings extends ActorCriticSettings {
  /** rows of a batch */
  readonly batch: number;
}

/**
 * Soft actor-critic (Haarnoja et al. 2018), on simulated rows alone.
 *
 *   y    = r + γ(1 − d)(min Q̄(s', a') − α log π(a'|s'))
 *   J_Q  = E[(Q_i − y)²], i = 1, 2
 *   J_π  = E[α log π(a|s) − min Q(s, a)]
 *   J_α  = −E[log α (log π(a|s) + H̄)]
 */
export const sac: Algorithm<SacSettings> = {
  name: 'sac',

  inputs: ({ batch }, { action }) => ({
    batches: { data: { from: 'sim', rows: batch } },
    normals: { epsObs: [batch, action], epsNext: [batch, action] },
  }),

  step: (agent, settings) => (inputs) => {
    const given = new InputReader(inputs);
    const { s, a, r, sNext, done } = given.batch('data');

    const actor = actorGradients(agent, settings, s, given.one('epsObs'));

    const targetQ = nextValue(agent, settings, sNext, given.one('epsNext'), actor.alpha);
    const y = bellmanTarget(r, done, targetQ, settings.discount);

    const critic = criticGradient(agent, features(s, a), (q) => ({ loss: bellmanLoss(q, y), mean: mean(q) }));

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
