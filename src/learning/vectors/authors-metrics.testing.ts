import type { TrainingCase } from './vector-files.testing.ts';

/** The authors' metrics by their names, from what our step returns. */
export function authorsMetrics(
  { config, inputs }: TrainingCase,
  index: number,
  outputs: Readonly<Record<string, Float32Array>>,
): Readonly<Record<string, () => number>> {
  const samples = (name: string) => outputs[name] ?? Float32Array.of(Number.NaN);
  const one = (name: string) => () => samples(name)[0] ?? Number.NaN;
  const option = (name: string) => Number(config[name]);
  const batch = (name: string) => inputs[index]?.batches[name];
  const mean = (values: Float32Array) => values.reduce((sum, each) => sum + each, 0) / values.length;
  const rewards = (of: string) => batch(of)?.r?.data ?? Float32Array.of(Number.NaN);
  /** mean of r + γ(1 − d)·next */
  const backup = (of: string, next: string) => () => {
    const done = batch(of)?.done?.data ?? [];
    const following = samples(next);
    return mean(
      rewards(of).map((r, row) => r + option('discount') * (1 - (done[row] ?? 0)) * (following[row] ?? Number.NaN)),
    );
  };
  const ofCritic = (q: '1' | '2') => ({
    [`qf${q}_loss`]: () =>
      `q${q}/errorReal` in outputs
        ? one(`q${q}/errorReal`)() + one(`q${q}/errorSim`)()
        : one(`q${q}/error` in outputs ? `q${q}/error` : `q${q}/loss`)(),
    [`average_qf${q}`]: one(`q${q}/mean`),
    [`real_qf${q}_loss`]: one(`q${q}/errorReal`),
    [`sim_qf${q}_loss`]: one(`q${q}/errorSim`),
    [`average_real_qf${q}`]: one(`q${q}/meanReal`),
    [`average_sim_qf${q}`]: one(`q${q}/meanSim`),
    [`cql/cql_min_qf${q}_loss`]: () =>
      `q${q}/penalty` in outputs ? one(`q${q}/penalty`)() : one(`q${q}/excess`)() * option('cql_min_q_weight'),
    [`cql/cql_qf${q}_diff`]: () =>
      Math.min(option('cql_clip_diff_max'), Math.max(option('cql_clip_diff_min'), one(`q${q}/excess`)())),
    [`cql/cql_qf${q}_gap`]: () => one(`q${q}/excess`)() + one(`q${q}/meanReal`)(),
    [`cql/cql_std_q${q}`]: one(`q${q}/spread`),
    [`cql/cql_q${q}_rand`]: one(`q${q}/uniformMean`),
    [`cql/cql_q${q}_current_actions`]: one(`q${q}/currentMean`),
    [`cql/cql_q${q}_next_actions`]: one(`q${q}/nextMean`),
  });
  return {
    ...ofCritic('1'),
    ...ofCritic('2'),
    log_pi: one('logPi'),
    policy_loss: one('policyLoss'),
    alpha_loss: one('alphaLoss'),
    alpha: one('alpha'),
    average_target_q: one('targetQ'),
    average_real_target_q: one('targetQReal'),
    average_sim_target_q: one('targetQSim'),
    dsa_train_loss: one('dSaLoss'),
    dsas_train_loss: one('dSasLoss'),
    'cql/u_sa': one('u'),
    'cql/std_omega': () => {
      const omega = samples('sample/omega');
      const centre = mean(omega);
      return Math.sqrt(omega.reduce((sum, each) => sum + (each - centre) ** 2, 0) / (omega.length - 1));
    },
    sqrt_IS_ratio: () => mean(samples('sample/w').map(Math.sqrt)),
    'cql/sqrt_IS_ratio': () => mean(samples('sample/w').map(Math.sqrt)),
    vf_loss: one('vLoss'),
    df_vf_pred: one('v'),
    df_qf_target_pred: () => mean(samples('sample/supported')),
    df_vf_error: () => mean(samples('sample/supported')) - one('v')(),
    average_real_explore_target_q: () => mean(samples('sample/exploreReal')),
    average_sim_explore_target_q: () => mean(samples('sample/exploreSim')),
    average_real_explore_td_target: backup('real', 'sample/exploreReal'),
    average_sim_explore_td_target: backup('sim', 'sample/exploreSim'),
    // The authors give these two the same number twice.
    average_real_exploit_target_q: backup('real', 'sample/exploitReal'),
    average_real_exploit_td_target: backup('real', 'sample/exploitReal'),
    average_sim_exploit_target_q: backup('sim', 'sample/exploitSim'),
    average_sim_exploit_td_target: backup('sim', 'sample/exploitSim'),
    average_blended_real_td_target: one('targetReal'),
    average_blended_sim_td_target: one('targetSim'),
    // Of the inputs alone, or constant:
    exploit_coeff: () => option('exploit_coeff'),
    mean_real_rewards: () => mean(rewards('real')),
    mean_sim_rewards: () => mean(rewards('sim')),
    max_sim_rewards: () => Math.max(...rewards('sim')),
    total_steps: () => index + 1,
    'cql/alpha_prime_loss': () => 0,
    'cql/alpha_prime': () => 0,
  };
}
