import fc from 'fast-check';

/** Values of a clock of 32 bits. */
export const TURN = 2 ** 32;

/** Clocks anywhere in their turn, crystals at their worst, delays of a line and of a busy host [µs]. */
export const clocks = fc.record({
  start: fc.integer({ min: 0, max: TURN - 1 }),
  offset: fc.integer({ min: 0, max: TURN - 1 }),
  drift: fc.double({ min: -200e-6, max: 200e-6, noNaN: true }),
  commands: fc.array(
    fc.record({
      // Shorter than it takes the clocks to differ by 1 µs, often: what is divided away must not be forgotten.
      pause: fc.oneof(fc.integer({ min: 0, max: 4000 }), fc.integer({ min: 0, max: 2_000_000 })),
      there: fc.integer({ min: 0, max: 30_000 }),
      back: fc.integer({ min: 0, max: 30_000 }),
    }),
    { minLength: 1, maxLength: 100 },
  ),
});
