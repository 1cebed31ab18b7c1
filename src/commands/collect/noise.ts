import type { Exploration } from '../../messages/exploration.ts';

type Noise = Omit<Exploration, 'seed' | 'episode'>;

const common = {
  /** two to three times one over the unstable pole: it pushes the robot along, and can be balanced */
  wanderTime: 0.2,
  /** of rows at 200 Hz a thousand: an episode of the paper */
  setPointTime: 5,
};

/**
 * Noise by name. `clean` and `falling` are the strengths of the two collectors of a study on a planar model, there
 * under other gains: noise of 0.3 and 0.2 N·m gave data without a fall, and 0.5 and 0.5 N·m data that fell again and again.
 */
export const NOISE = {
  clean: { ...common, wander: 0.3, white: 0.2, mostTorque: 1, setPoint: 0.3 },
  falling: { ...common, wander: 0.5, white: 0.5, mostTorque: 1.5, setPoint: 0.3 },
  none: { ...common, wander: 0, white: 0, mostTorque: 0, setPoint: 0 },
} as const satisfies Record<string, Noise>;

export type NoiseName = keyof typeof NOISE;
export const NOISE_NAMES = Object.keys(NOISE) as NoiseName[];
