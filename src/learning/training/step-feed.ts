import type { NetworkSizes } from '../networks.ts';
import { elements } from '../parameters.ts';
import type { NamedData } from '../runner.ts';
import { inputShapes, type Source, type StepNeeds } from '../training-step.ts';
import type { NoiseStream } from './noise.ts';
import type { BatchMemory, TransitionMemory } from './transition-memory.ts';
import type { View } from './view.ts';

/** Where the rows of one seed's batches come from. */
export type Memories = Readonly<Partial<Record<Source, TransitionMemory>>>;

/** What one seed is given: its parts of the inputs. */
interface SeedPart {
  readonly batches: readonly { readonly from: Source; readonly memory: BatchMemory }[];
  readonly normals: readonly Float32Array[];
  readonly uniforms: readonly Float32Array[];
}

/** The inputs of a step, in memory that is made once and filled anew each time. */
export class StepFeed {
  /** by the names of the inputs */
  readonly arrays: NamedData;
  /** with the leading axis of the seeds where there are several */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly #parts: readonly SeedPart[];
  readonly #lr: Float32Array;
  readonly #step: Float32Array;

  constructor(inputs: StepNeeds, sizes: NetworkSizes, seeds: number) {
    this.shapes = inputShapes(inputs, sizes, seeds);
    const arrays: Record<string, Float32Array> = Object.fromEntries(
      Object.entries(this.shapes).map(([name, shape]) => [name, new Float32Array(elements(shape))]),
    );
    this.arrays = arrays;
    const array = (name: string): Float32Array => arrays[name] ?? new Float32Array(0);
    this.#lr = array('lr');
    this.#step = array('step');
    this.#parts = Array.from({ length: seeds }, (_, seed) => {
      const part = (name: string): Float32Array => {
        const all = array(name);
        const size = all.length / seeds;
        return all.subarray(seed * size, (seed + 1) * size);
      };
      return {
        batches: Object.entries(inputs.batches).map(([name, { from, rows, transitionsOnly }]) => ({
          from,
          memory: {
            rows,
            s: part(`${name}/s`),
            a: part(`${name}/a`),
            sNext: part(`${name}/sNext`),
            ...(!transitionsOnly && { r: part(`${name}/r`), done: part(`${name}/done`) }),
          },
        })),
        normals: Object.keys(inputs.normals).map(part),
        uniforms: Object.keys(inputs.uniforms ?? {}).map(part),
      };
    });
  }

  /** @param step number of the step, from 1 */
  pace(step: number, lr: number): void {
    this.#step[0] = step;
    this.#lr[0] = lr;
  }

  /** Draws the batches and the noise of one seed, always in the same order. */
  fill(seed: number, memories: Memories, view: View, noise: NoiseStream): void {
    const part = this.#parts[seed];
    if (!part) return;
    for (const { from, memory } of part.batches) memories[from]?.sample(view, noise, memory);
    for (const normal of part.normals) noise.fillNormal(normal);
    for (const uniform of part.uniforms) noise.fillUniform(uniform);
  }
}
