import {
  type ActorCriticSettings,
  actorGradients,
  actorMetrics,
  criticGradient,
  nextValue,
  updateActorCritic,
} from '../actor-critic.ts';
import { descend } from '../agent.ts';
import {
  type DiscriminatorSettings,
  discriminatorGradients,
  importanceWeights,
  logSimToReal,
} from '../dynamics-ratio.ts';
import { bellmanLoss, bellmanTarget, expectileLoss, mean } from '../losses.ts';
import { features, halves, rows, twinQ, value } from '../networks.ts';
import { gradientOf } from '../parameters.ts';
import { tf } from '../tf.ts';
import { type Algorithm, discriminatorInputs, InputReader, named } from '../training-step.ts';

export interface H2oPlusSettings extends ActorCriticSettings {
  /** rows of each source */
  readonly batch: number;
  readonly discriminators: DiscriminatorSettings;
  /** bounds of w; null takes simulated rows as they are, w = 1 */
  readonly importanceClip: readonly [number, number] | null;
  /** κ of V's expectile regression, towards 1 the best that the data hold */
  readonly quantile: number;
  /** c: share of what the data support in the target, against what the policy hopes for */
  readonly exploit: number;
}

/**
 * H2O+ (Niu et al. 2023), with classifiers as ratio estimator. No value penalty: instead the target leans on a V that is
 * learned from real rows alone.
 *
 *   J_V = E_real[|κ − 1(e < 0)| e²],  e = min Q̄(s, a) − V(s)
 *   y   = c (r + γ(1 − d) V(s')) + (1 − c)(r + γ(1 − d)(min Q̄(s', a') − α log π(a'|s')))
 *   J_Q = Σ_i E_real[(Q_i − y)²] + E_sim[w (Q_i − y)²]
 */
export const h2oPlus: Algorithm<H2oPlusSettings> = {
  name: 'h2o+',

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

    const actor = actorGradients(agent, settings, rows(real.s, sim.s), given.one('epsMixed'));

    const sNext = rows(real.sNext, sim.sNext);
    const epsNext = rows(given.one('epsRealNext'), given.one('epsSimNext'));
    const explore = halves(nextValue(agent, settings, sNext, epsNext, actor.alpha));
    const exploit = halves(value(agent.v.layout, agent.v.parameters, sNext));
    const [yReal, ySim] = [real, sim].map(({ r, done }, half) => {
      const target = (next: readonly tf.Tensor[]) => bellmanTarget(r, done, next[half] as tf.Tensor, settings.discount);
      return tf.add(tf.mul(target(exploit), settings.exploit), tf.mul(target(explore), 1 - settings.exploit));
    }) as [tf.Tensor, tf.Tensor];

    const { rho, w } = importanceWeights(
      logSimToReal(agent, sim, settings.discriminators.scaling),
      settings.importanceClip,
    );

    const realSa = features(real.s, real.a);
    const supported = tf.minimum(...twinQ(agent.targetQ.layout, agent.targetQ.parameters, realSa));
    const ofV = gradientOf(agent.v.parameters, (parameters) => {
      const v = value(agent.v.layout, parameters, real.s);
      return { loss: expectileLoss(supported, v, settings.quantile), mean: mean(v) };
    });

    const critic = criticGradient(agent, rows(realSa, features(sim.s, sim.a)), (q) => {
      const [qReal, qSim] = halves(q);
      const errorReal = bellmanLoss(qReal, yReal);
      const errorSim = bellmanLoss(qSim, ySim, w);
      return { loss: tf.add(errorReal, errorSim), errorReal, errorSim, meanReal: mean(qReal), meanSim: mean(qSim) };
    });

    descend(agent.v, ofV.gradient, given.pace);
    const gradients = { alpha: actor.ofAlpha.gradient, policy: actor.ofPolicy.gradient, q: critic.gradient };
    updateActorCritic(agent, settings, gradients, given.pace);
    return {
      ...actorMetrics(actor),
      ...critic.report,
      dSaLoss: d.lossSa,
      dSasLoss: d.lossSas,
      vLoss: ofV.loss,
      v: ofV.mean,
      targetReal: mean(yReal),
      targetSim: mean(ySim),
      w: mean(w),
      ...(settings.diagnostics && {
        ...named('gradient/', { ...gradients, v: ofV.gradient, dSa: d.gradientSa, dSas: d.gradientSas }),
        ...named('sample/', { rho, w, supported, yReal, ySim }),
        ...named('sample/', { exploreReal: explore[0], exploreSim: explore[1] }),
        ...named('sample/', { exploitReal: exploit[0], exploitSim: exploit[1] }),
      }),
    };
  },
};
