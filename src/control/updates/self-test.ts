import type { SelfTest } from '../../messages/policy-updates.ts';
import type { Manifest } from '../../policy/manifest.ts';
import { clipsOf } from '../../policy/observation.ts';
import { loadPolicy, vetLatency } from '../../policy/runtime.ts';
import { goldenReasons } from '../../policy/vet-model.ts';

/** Larger than anything that a sensor says in SI units, and small enough that no sane network overflows. */
const EXTREMES = [1, 1e3, 1e6];
/** A busy moment of the machine is not the policy's fault: the best of so many measurements counts. */
const LATENCY_ROUNDS = 5;

/** Observations at the far ends: all terms one way, alternating, and each alone. @param observation of the manifest */
export function extremeObservations(observation: Manifest['observation']): number[][] {
  const clips = clipsOf(observation);
  const size = clips.length;
  const clipped = (values: readonly number[]) =>
    clips.map(([low, high], at) => Math.min(high, Math.max(low, values[at] ?? Number.NaN)));
  const all = (value: (at: number) => number) => clipped(Array.from({ length: size }, (_, at) => value(at)));
  return EXTREMES.flatMap((extreme) => [
    all(() => extreme),
    all(() => -extreme),
    all((at) => (at % 2 === 0 ? extreme : -extreme)),
    ...Array.from({ length: size }, (_, one) => all((at) => (at === one ? extreme : 0))),
    ...Array.from({ length: size }, (_, one) => all((at) => (at === one ? -extreme : 0))),
  ]);
}

/**
 * Whether a model does on this machine what its manifest says: the golden pairs come out, extreme observations are answered
 * with finite numbers, and a run is fast enough. Blocks the thread for as long as the model runs: for a process of its own.
 * @param budgetUs what the 99th of a hundred runs may take
 */
export async function selfTest(
  bundle: { readonly manifest: Manifest; readonly model: Uint8Array },
  budgetUs: number,
): Promise<{ readonly found: SelfTest; readonly reasons: readonly string[] }> {
  const { manifest, model } = bundle;
  const nothing = { pairs: 0, extremes: 0, p50Us: 0, p99Us: 0, budgetUs };
  const golden = await goldenReasons(model, manifest);
  if (golden.length > 0) return { found: nothing, reasons: golden };
  const session = await loadPolicy(bundle);
  const reasons: string[] = [];
  try {
    const extremes = extremeObservations(manifest.observation);
    let finite = 0;
    for (const observation of extremes) if ((await session.run(observation)).every(Number.isFinite)) finite += 1;
    if (finite < extremes.length) {
      reasons.push(
        `self-test: ${extremes.length - finite} of ${extremes.length} extreme observations are answered with what is no number`,
      );
    }
    let latency = await vetLatency(session, manifest, budgetUs);
    for (let round = 1; round < LATENCY_ROUNDS && !latency.ok; round++) {
      const again = await vetLatency(session, manifest, budgetUs);
      if (again.p99Us < latency.p99Us) latency = again;
    }
    reasons.push(...latency.reasons);
    const { p50Us, p99Us } = latency;
    return { found: { pairs: manifest.golden.pairs.length, extremes: finite, p50Us, p99Us, budgetUs }, reasons };
  } finally {
    await session.release();
  }
}
