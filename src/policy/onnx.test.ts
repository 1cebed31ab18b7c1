import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeModel, encodeModel } from './onnx-format.ts';
import { inspectModel } from './onnx-inspect.ts';
import { buildLinearPolicy } from './onnx-linear.ts';
import { PolicySession } from './runtime.ts';

const law = {
  weights: [
    [0.5, -0.25, 2],
    [1, 0, -1],
  ],
  bias: [0.1, -0.2],
};
const model = buildLinearPolicy(law);

describe('a linear policy in ONNX', () => {
  it('says what it is made of', () => {
    expect(inspectModel(model)).toEqual({
      inputs: [{ name: 'observation', dtype: 'float32', shape: ['batch', 3] }],
      outputs: [{ name: 'action', dtype: 'float32', shape: ['batch', 2] }],
      operators: [
        { domain: '', type: 'Gemm' },
        { domain: '', type: 'Clip' },
      ],
      opset: 17,
      irVersion: 8,
      isSingleGraph: true,
      hasSubgraphs: false,
      hasFunctions: false,
      hasSparseTensors: false,
      hasExternalData: false,
      initializerBytes: 4 * (3 * 2 + 2 + 1 + 1),
      metadata: {},
    });
  });

  it('computes in ONNX Runtime what the law says', async () => {
    const session = await PolicySession.open(model, 3, 2);
    const value = fc.float({ min: -2, max: 2, noNaN: true });
    await fc.assert(
      fc.asyncProperty(fc.tuple(value, value, value), async (observation) => {
        const action = await session.run(observation);
        law.weights.forEach((row, index) => {
          const sum = row.reduce((total, weight, at) => total + weight * (observation[at] ?? 0), law.bias[index] ?? 0);
          expect(action[index]).toBeCloseTo(Math.min(1, Math.max(-1, sum)), 5);
        });
      }),
    );
    await session.release();
  });

  it('refuses an observation of another length, and tells its latency', async () => {
    const session = await PolicySession.open(model, 3, 2);
    await expect(session.run([1, 2])).rejects.toThrow(/takes 3 numbers, and was given 2/);
    const { p50Us, p99Us } = await session.measureLatency(50);
    expect(p50Us).toBeGreaterThan(0);
    expect(p99Us).toBeGreaterThanOrEqual(p50Us);
    await session.release();
  });

  it('has the same bytes every time, and after being read', () => {
    expect(Buffer.from(buildLinearPolicy(law)).equals(model)).toBe(true);
    expect(Buffer.from(encodeModel(decodeModel(model))).equals(model)).toBe(true);
  });
});

describe('reading a model', () => {
  it('never throws anything but modelInvalid', () => {
    const refusal = expect.objectContaining({ codeName: 'modelInvalid' });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          inspectModel(bytes);
        } catch (error) {
          expect(error).toEqual(refusal);
        }
      }),
    );
    // Groups opened and never closed, deeper than any stack.
    expect(() => inspectModel(new Uint8Array(1e6).fill(0x0b))).toThrow(refusal);
  });

  it('of nothing finds no graph', () => {
    expect(inspectModel(new Uint8Array()).isSingleGraph).toBe(false);
  });

  it('sees a second graph that ONNX Runtime would merge with the first', () => {
    const twice = Buffer.concat([model, model]);
    expect(inspectModel(twice).isSingleGraph).toBe(false);
  });
});
