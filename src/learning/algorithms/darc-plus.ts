import { actorGradients, actorMetrics, criticGradient, nextValue, updateActorCritic } from '../actor-critic.ts';
import { descend } from '../agent.ts';
import { discriminatorGradients, logSimToReal } from '../dynamics-ratio.ts';
import { bellmanLoss, bellmanTarget, clip, mean } from '../losses.ts';
import { features, halves, rows } from '../networks.ts';
import { tf } from '../tf.ts';
import { type Algorithm, discriminatorInputs, InputReader, named } from '../training-step.ts';
import type { DarcSettings } from './darc.ts';

/**
 * DARC+, which the H2O paper compares with and no published code has. Our reading: DARC whose critic and actor learn from
 * real rows as well, with the reward as it is, beside simulated rows with the corrected one. Half a batch each.
 *
 *   y_real = r + γ(1 − d)(min Q̄(s', a') − α log π(a'|s'))
 *   y_sim  = r + Δr + γ(1 − d)(min Q̄(s', a') − α log π(a'|s')),  Δr = log p_real(s'|s, a) − log p_sim(s'|s, a)
 *   J_Q    = Σ_i E_real[(Q_i − y_real)²] + E_sim[(Q_i − y_sim)²]
 */
export const darcPlus: Algorithm<DarcSettings> = {
  name: 'darc+',

  inputs: ({ batch, discriminators }, sizes) => {
    const ofDiscriminators = discriminatorInputs(discriminators.batch, sizes);
    return {
      batches: { real: { from: 'real', rows: batch }, sim: { from: 'sim', rows: batch }, ...ofDiscriminators.batches },
      normals: {
        ...ofDiscriminators.normals,
        epsMixed: [2 * batch, sizes.action],
        epsRealNext: [batch, sizes.action],
        epsSimNext: [batch, sizes.action],
      },
    };
  },

  step: (agent, settings) => (inputs) => {
    const given = new InputReader(inputs);
    const [real, sim] = [given.batch('real'), given.batch('sim')];

    const d = discriminatorGradients(agent, given.discriminators(), settings.discriminators);
    descend(agent.dSa, d.gradientSa, given.pace);
    descend(agent.dSas, d.gradientSas, given.pace);

    const logRatio = logSimToReal(agent, sim, settings.discriminators.scaling);
    const correction = clip(tf.neg(logRatio), settings.correctionClip);

    const actor = actorGradients(agent, settings, rows(real.s, sim.s), given.one('epsMixed'));

    const epsNext = rows(given.one('epsRealNext'), given.one('epsSimNext'));
    const [targetReal, targetSim] = halves(
      nextValue(agent, settings, rows(real.sNext, sim.sNext), epsNext, actor.alpha),
    );
    const yReal = bellmanTarget(real.r, real.done, targetReal, settings.discount);
    const ySim = bellmanTarget(tf.add(sim.r, correction), sim.done, targetSim, settings.discount);

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
      dSaLoss: d.lossSa,
      dSasLoss: d.lossSas,
      correction: mean(correction),
      targetQReal: mean(targetReal),
      targetQSim: mean(targetSim),
      ...(settings.diagnostics && {
        ...named('gradient/', { ...gradients, dSa: d.gradientSa, dSas: d.gradientSas }),
        ...named('sample/', { deltaR: correction }),
      }),
    };
  },
};
