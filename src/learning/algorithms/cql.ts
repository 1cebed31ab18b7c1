import {
  type ActorCriticSettings,
  act,
  actorGradients,
  actorMetrics,
  criticGradient,
  nextValue,
  updateActorCritic,
} from '../actor-critic.ts';
import { repeatRows } from '../dynamics-ratio.ts';
import { bellmanLoss, bellmanTarget, clip, logSumExp, mean } from '../losses.ts';
import { features, rows } from '../networks.ts';
import { tf } from '../tf.ts';
import { type Algorithm, InputReader, named } from '../training-step.ts';

export interface CqlSettings extends ActorCriticSettings {
  /** rows of a batch */
  readonly batch: number;
  /** N actions of each of the three kinds for every state */
  readonly actions: number;
  /** weight of the conservative term */
  readonly conservatism: number;
  /** T of the log-sum-exp */
  readonly temperature: number;
  /** bounds of the conservative term; no gradient outside */
  readonly clip: readonly [number, number];
}

/**
 * Conservative Q-learning (Kumar et al. 2020, the CQL(H) form with importance sampling), on real rows alone.
 *
 *   y    = r + γ(1 − d) min Q̄(s', a')
 *   R_i  = T log Σ exp(z/T) − E[Q_i(s, a)],  z over Q_i(s, a_uniform) − log ½^dA, Q_i(s, a_π(s)) − log π, Q_i(s, a_π(s')) − log π
 *   J_Q  = Σ_i E[(Q_i − y)²] + weight · E[R_i]
 */
export const cql: Algorithm<CqlSettings> = {
  name: 'cql',

  inputs: ({ batch, actions }, { action }) => ({
    batches: { data: { from: 'real', rows: batch } },
    normals: {
      epsObs: [batch, action],
      epsNext: [batch, action],
      epsCqlCurrent: [batch, actions, action],
      epsCqlNext: [batch, actions, action],
    },
    uniforms: { cqlRandomActions: [batch, actions, action] },
  }),

  step: (agent, settings) => (inputs) => {
    const given = new InputReader(inputs);
    const { s, a, r, sNext, done } = given.batch('data');
    const { actions, conservatism, temperature } = settings;

    const actor = actorGradients(agent, settings, s, given.one('epsObs'));

    const targetQ = nextValue(agent, settings, sNext, given.one('epsNext'), actor.alpha);
    const y = bellmanTarget(r, done, targetQ, settings.discount);

    // Three kinds of actions for every state s, one after the other: uniform, from π(s), from π(s'); [B·N, dA] each.
    const perRow = (x: tf.Tensor) => tf.reshape(x, [...x.shape.slice(0, -3), -1, agent.sizes.action]);
    const uniform = perRow(given.one('cqlRandomActions'));
    const states = repeatRows(s, actions);
    const current = act(agent, states, perRow(given.one('epsCqlCurrent')));
    const next = act(agent, repeatRows(sNext, actions), perRow(given.one('epsCqlNext')));
    const logDensity = [tf.fill(current.logPi.shape, -agent.sizes.action * Math.log(2)), current.logPi, next.logPi];

    const sa = rows(
      features(s, a),
      ...[uniform, current.action, next.action].map((candidates) => features(states, candidates)),
    );
    const batch = s.shape.at(-2) ?? 0;
    const perState = (x: tf.Tensor) => tf.reshape(x, [...s.shape.slice(0, -1), actions]);

    const critic = criticGradient(agent, sa, (q) => {
      const [ofData, ...others] = tf.split(q, [batch, ...logDensity.map(() => batch * actions)], -1) as [tf.Tensor];
      const z = others.map((kind, index) => perState(tf.sub(kind, logDensity[index] as tf.Tensor)));
      const soft = tf.mul(logSumExp(tf.div(tf.concat(z, -1), temperature)), temperature);
      const excess = mean(clip(tf.sub(soft, ofData), settings.clip));
      const error = bellmanLoss(ofData, y);
      const [uniformMean, currentMean, nextMean] = others.map(mean) as [tf.Tensor, tf.Tensor, tf.Tensor];
      return {
        loss: tf.add(error, tf.mul(excess, conservatism)),
        error,
        excess,
        mean: mean(ofData),
        uniformMean,
        currentMean,
        nextMean,
        spread: mean(spread(tf.concat([tf.expandDims(ofData, -1), ...others.map(perState)], -1))),
      };
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

/** Unbiased standard deviation over the last axis: how far the critic tells actions apart. */
function spread(values: tf.Tensor): tf.Tensor {
  const count = values.shape.at(-1) ?? 0;
  const deviation = tf.sub(values, tf.mean(values, -1, true));
  return tf.sqrt(tf.div(tf.sum(tf.square(deviation), -1), count - 1));
}
