import { describe, expect, it } from 'vitest';
import { nextStateSigma } from '../statistics.ts';
import { readTrainingCase, vectorFiles } from './vector-files.testing.ts';

const cases = vectorFiles.flatMap((file) => {
  const one = readTrainingCase(file);
  return one?.offline && one.sigma ? [{ name: one.case, ...one.offline, sigma: one.sigma }] : [];
});

describe("the spread of next states agrees with the authors' buffer", () => {
  it('there are cases', () => expect(cases.length).toBeGreaterThan(0));

  it.each(cases.map((one) => [one.name, one] as const))('%s', (_name, { s, bufferRows, sigma }) => {
    const width = s.shape[1] ?? 0;
    const ours = nextStateSigma('published', { s: s.exact, sNext: s.exact, width, bufferRows });
    sigma.exact.forEach((wanted, column) => {
      expect(ours[column]).toBeCloseTo(wanted, 6);
    });
  });
});
