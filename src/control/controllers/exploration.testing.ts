import fc from 'fast-check';
import { type Exploration, explorationSchema } from '../../messages/exploration.ts';

const between = (min: number, max: number) => fc.double({ min, max, noNaN: true });

/** Everything that can be signed. */
export const explorations: fc.Arbitrary<Exploration> = fc
  .record({
    seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    episode: fc.nat(1_000_000),
    wander: between(0, 20),
    wanderTime: between(0.01, 10),
    white: between(0, 20),
    mostTorque: between(0, 20),
    setPoint: between(0, 5),
    setPointTime: between(1, 600),
  })
  .map((exploration) => explorationSchema.parse(exploration));
