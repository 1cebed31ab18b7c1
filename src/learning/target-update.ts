import type { Followed } from './agent.ts';
import { tf } from './tf.ts';

/** θ̄ ← (1 − τ)·θ̄ + τ·θ */
export function softUpdate(target: Followed, { parameters }: Followed, tau: number): void {
  target.parameters.assign(tf.add(tf.mul(target.parameters, 1 - tau), tf.mul(parameters, tau)));
}
