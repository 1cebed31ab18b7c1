import { type Agent, descend } from './agent.ts';
import { mean, policyLoss, temperatureLoss } from './losses.ts';
import { features, sample, tanhGaussian, twinQ } from './networks.ts';
import { gradientOf } from './parameters.ts';
import { softUpdate } from './target-update.ts';
import { tf } from './tf.ts';
import { named, type Tensors } from './training-step.ts';

/** What every algorithm here has from SAC. */
export interface ActorCriticSettings {
  /** γ */
  readonly discount: number;
  /** τ of the target networks */
  readonly tau: number;
  /** entropy that the temperature aims at, H̄ */
  readonly targetEntropy: number;
  /** α = multiplier · exp(log α) */
  readonly alphaMultiplier: number;
  /** false: α stays the multiplier */
  readonly learnsAlpha: boolean;
  /** whether the target counts the entropy of the next action */
  readonly backupEntropy: boolean;
  /** β of the policy's moving average, θ̂ ← β·θ̂ + (1 − β)·θ; 0 keeps none */
  readonly weightAverage: number;
  /** also return gradients and per-sample quantities; a recorded graph prunes what is not asked for */
  readonly diagnostics?: boolean;
}

/** a ~ π(s) and log π(a|s), with no gradient. */
export function act({ policy }: Pick<Agent, 'policy'>, s: tf.Tensor, epsilon: tf.Tensor) {
  return sample(tanhGaussian(policy.layout, policy.parameters, s), epsilon);
}

/** Policy and temperature: losses and gradients with α as it is before this step. */
export function actorGradients(agent: Agent, settings: ActorCriticSettings, s: tf.Tensor, epsilon: tf.Tensor) {
  const { policy, q, alpha: temperature } = agent;
  const alpha = settings.learnsAlpha
    ? tf.mul(tf.exp(temperature.parameters), settings.alphaMultiplier)
    : tf.fill(temperature.parameters.shape, settings.alphaMultiplier);
  const ofPolicy = gradientOf(policy.parameters, (parameters) => {
    const { action, logPi } = sample(tanhGaussian(policy.layout, parameters, s), epsilon);
    return { loss: policyLoss(alpha, logPi, twinQ(q.layout, q.parameters, features(s, action))), logPi };
  });
  const ofAlpha = gradientOf(temperature.parameters, (logAlpha) => ({
    loss: temperatureLoss(logAlpha, ofPolicy.logPi, settings.targetEntropy),
  }));
  return { alpha, logPi: ofPolicy.logPi, ofPolicy, ofAlpha };
}

/** min(Q̄1, Q̄2)(s', a'), less α·log π(a'|s') where the target counts entropy; a' ~ π(s'). */
export function nextValue(
  agent: Agent,
  { backupEntropy }: ActorCriticSettings,
  sNext: tf.Tensor,
  epsilon: tf.Tensor,
  alpha: tf.Tensor,
): tf.Tensor {
  const { action, logPi } = act(agent, sNext, epsilon);
  const q = tf.minimum(...twinQ(agent.targetQ.layout, agent.targetQ.parameters, features(sNext, action)));
  return backupEntropy ? tf.sub(q, tf.mul(alpha, logPi)) : q;
}

/**
 * Both critics: gradient of the sum of their losses, and what each reports under `q1/` and `q2/`.
 * @param stateAction [B, dS + dA]
 * @param each Q of those rows, [B], to `loss` and whatever else is worth reporting
 */
export function criticGradient(agent: Agent, stateAction: tf.Tensor, each: (q: tf.Tensor) => CriticReport) {
  const { layout, parameters } = agent.q;
  const { loss, gradient, ...report } = gradientOf<Tensors>(parameters, (flat) => {
    const [q1, q2] = twinQ(layout, flat, stateAction);
    const [first, second] = [each(q1), each(q2)];
    return { loss: tf.add(first.loss, second.loss), ...named('q1/', first), ...named('q2/', second) };
  });
  return { gradient, report };
}
type CriticReport = { readonly loss: tf.Tensor } & Readonly<Tensors>;

/** The end of every step: all gradients are those of the old values; then Adam, then what follows slowly. */
export function updateActorCritic(
  agent: Agent,
  { tau, weightAverage, learnsAlpha }: ActorCriticSettings,
  gradients: { readonly alpha: tf.Tensor; readonly policy: tf.Tensor; readonly q: tf.Tensor },
  pace: { readonly lr: tf.Tensor; readonly step: tf.Tensor },
): void {
  if (learnsAlpha) descend(agent.alpha, gradients.alpha, pace);
  descend(agent.policy, gradients.policy, pace);
  descend(agent.q, gradients.q, pace);
  softUpdate(agent.targetQ, agent.q, tau);
  if (weightAverage > 0) softUpdate(agent.averagePolicy, agent.policy, 1 - weightAverage);
}

/** What every algorithm reports of its actor. */
export function actorMetrics({ alpha, logPi, ofPolicy, ofAlpha }: ReturnType<typeof actorGradients>) {
  return { policyLoss: ofPolicy.loss, alphaLoss: ofAlpha.loss, alpha: mean(alpha), logPi: mean(logPi) };
}
