import { expect, it } from 'vitest';
import { taskSettingsSchema } from '../config.ts';
import { describeVerdict, judge, scoresOf } from './gate.ts';

const gateOf = (gate: object) => taskSettingsSchema.parse({ gate }).gate;
const good = { meanReturn: 29_000, survivalMean: 30, maxAbsX: 1 };

it('passes what keeps every bound and is no worse than before, within the tolerance', () => {
  const gate = gateOf({ evaluations: [{ atLeast: { survivalMean: 30 }, atMost: { maxAbsX: 1 } }], tolerance: 0.02 });
  expect(judge(gate, [{ policy: good, previous: { ...good, meanReturn: 29_500 } }]).passed).toBe(true);
  const worse = judge(gate, [{ policy: good, previous: { ...good, meanReturn: 29_700 } }]);
  expect(worse.passed).toBe(false);
  expect(describeVerdict(worse)).toBe('twin: meanReturn 29000, the policy before it allows 29106');
  expect(describeVerdict(judge(gate, [{ policy: { ...good, maxAbsX: 1.01 }, previous: null }]))).toBe(
    'twin: maxAbsX 1.01, wanted is 1',
  );
});

it('passes nothing that is no number, is missing, or was not evaluated', () => {
  const gate = gateOf({ evaluations: [{ atLeast: { survivalMean: 0 } }] });
  for (const survivalMean of [null, Number.NaN, Number.POSITIVE_INFINITY, undefined]) {
    expect(judge(gate, [{ policy: { survivalMean } as never, previous: null }]).passed).toBe(false);
  }
  expect(judge(gate, []).passed).toBe(false);
});

it('must be passed on every simulated robot', () => {
  const gate = gateOf({ evaluations: [{}, { gaps: ['twin-d'], atLeast: { survivalMin: 5 } }] });
  const verdict = judge(gate, [
    { policy: good, previous: null },
    { policy: { survivalMin: 4 }, previous: null },
  ]);
  expect(verdict.passed).toBe(false);
  expect(verdict.checks).toMatchObject([{ gap: 'twin with twin-d', what: 'survivalMin', passed: false }]);
});

it('reads what evaluate prints', () => {
  expect(scoresOf({ meanReturn: 1, survivalSeconds: { mean: 2, min: null }, rmsPitch: 3, task: 'x' })).toEqual({
    meanReturn: 1,
    survivalMean: 2,
    survivalMin: null,
    rmsPitch: 3,
  });
});
