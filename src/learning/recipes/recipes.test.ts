import { describe, expect, it } from 'vitest';
import { EdgeError } from '../../errors.ts';
import { Random } from '../../random.ts';
import { tasks } from '../../robot/tasks/tasks.ts';
import { testAgent, testInputs } from '../agents.testing.ts';
import { algorithmNames } from '../algorithms/algorithms.ts';
import { observationSpec } from '../trained-policy.ts';
import { inputShapes } from '../training-step.ts';
import { traced } from '../vectors/traced.testing.ts';
import { eager } from '../vectors/training-case.testing.ts';
import { recipeSchema } from './recipe.ts';
import { adjustRecipe, asPublished, recipeByName, recipeNames, recipes } from './recipes.ts';
import { learnedReward, learningRateAt, networkSizes, prepareStep, type RealRows } from './settings.ts';

const refusal = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    if (error instanceof EdgeError) return { code: error.codeName, text: `${error.message}; ${error.remedy}` };
  }
  return undefined;
};

describe('recipes', () => {
  it.each(recipeNames)('%s fits the schema, also as published, and survives JSON', (name) => {
    for (const recipe of [recipeByName(name), asPublished(recipeByName(name))]) {
      expect(recipeSchema.parse(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe);
    }
  });

  it('as published differs in what the docs say, and in nothing else', () => {
    const { name, discriminators, h2o, ...rest } = asPublished(recipes.edge);
    expect(name).toBe('edge-as-published');
    expect(recipes.edge).toMatchObject(rest);
    expect(discriminators).toEqual({ ...recipes.edge.discriminators, inputs: 'raw' });
    expect(h2o.gap).toEqual({ ...recipes.edge.h2o.gap, sigma: 'published', gate: 'floor' });
  });

  it('takes other values for some knobs and leaves the rest', () => {
    const adjusted = adjustRecipe(recipes.edge, { training: { batch: 64, decay: null }, h2o: { gap: { clip: null } } });
    expect(adjusted.training).toEqual({ ...recipes.edge.training, batch: 64, decay: null });
    expect(adjusted.h2o.gap.clip).toBeNull();
    expect(adjusted.cql).toEqual(recipes.edge.cql);
    expect(
      adjustRecipe(adjusted, { training: { decay: { from: 0.5, to: 0.02 }, batch: 32 }, h2o: recipes.edge.h2o }),
    ).toEqual(recipes.edge);
  });

  it('names an unknown knob and those that there are', () => {
    const found = refusal(() => adjustRecipe(recipes.edge, { training: { batchSize: 64 } }));
    expect(found?.code).toBe('configInvalid');
    expect(found?.text).toMatch(/no knob "training\.batchSize"; there in training are: steps, round, .*batch/);
    expect(refusal(() => adjustRecipe(recipes.edge, { lr: 1 }))?.text).toMatch(/no knob "lr"; there are: name, /);
  });

  it.each([
    [{ training: { batch: -3 } }, /"training\.batch" does not take -3/],
    [{ training: 7 }, /"training" does not take 7/],
    [{ h2o: { gap: { sigma: 'wide' } } }, /"h2o\.gap\.sigma" does not take "wide"/],
    [
      { discriminators: { importanceClip: [1, 0] } },
      /"discriminators\.importanceClip" does not take \[1,0\]: must rise/,
    ],
    [null, /does not take null/],
  ])('says what a knob does not take: %j', (changes, text) => {
    const found = refusal(() => adjustRecipe(recipes.edge, changes));
    expect(found?.code).toBe('configInvalid');
    expect(found?.text).toMatch(text);
  });

  it('names the recipes that there are', () => {
    expect(refusal(() => recipeByName('edgy'))?.text).toMatch(/no recipe "edgy".*edge, paper/);
  });

  it('the learning rate falls from the middle to its share at the end', () => {
    expect([0, 0.5, 0.75, 1, 2].map((progress) => learningRateAt(recipes.edge, progress))).toEqual([
      1e-3,
      1e-3,
      expect.closeTo(0.51e-3, 9),
      expect.closeTo(2e-5, 9),
      expect.closeTo(2e-5, 9),
    ]);
    expect(learningRateAt(recipes.paper, 1)).toBe(3e-4);
  });

  it('the critic learns from rewards less their offset', () => {
    expect(learnedReward(recipes.edge, 'standing-still', 29)).toBe(9);
    expect(learnedReward(recipes.edge, 'moving-straight', 14)).toBe(9);
    expect(learnedReward(recipes.paper, 'standing-still', 29)).toBe(29);
  });
});

const random = new Random(1);
const small = {
  networks: { hidden: [8], discriminatorHidden: [8] },
  training: { batch: 8 },
  discriminators: { batch: 8 },
};

/** Real rows whose first number never varies. */
function realRows(width: number): RealRows {
  const s = Float32Array.from({ length: 50 * width }, (_, at) => (at % width === 0 ? 2 : random.gaussian()));
  const sNext = s.map((value, at) => value + (at % width === 0 ? 0 : 0.1 * random.gaussian()));
  return { s, sNext, a: Float32Array.from({ length: 50 }, () => 2 * random.uniform() - 1) };
}

describe('steps by a recipe', () => {
  const ways = recipeNames.flatMap((name) => algorithmNames.map((algorithm) => [name, algorithm] as const));
  it.each(ways)('%s, %s: three steps keep every number finite', async (name, algorithm) => {
    const recipe = adjustRecipe(recipeByName(name), small);
    const sizes = networkSizes(recipe, observationSpec(recipe, tasks['moving-straight']), 1);
    const agent = testAgent(`${name}-${algorithm}`, [1], sizes);
    const { inputs, step } = prepareStep(algorithm, recipe, sizes, realRows(sizes.observation));
    const shapes = inputShapes(inputs, sizes);
    const run = await eager(agent, step(agent), shapes);
    const before = agent.policy.parameters.dataSync<'float32'>().slice();
    for (let number = 1; number <= 3; number += 1) {
      const outputs = await run(testInputs(shapes, number, number));
      for (const [metric, values] of Object.entries(outputs)) expect(values.every(Number.isFinite), metric).toBe(true);
    }
    for (const variable of agent.variables)
      expect(variable.dataSync().every(Number.isFinite), variable.name).toBe(true);
    expect(agent.policy.parameters.dataSync()).not.toEqual(before);
    const averaged = agent.averagePolicy.parameters.dataSync<'float32'>();
    expect(averaged.some((value, at) => value !== before[at])).toBe(recipe.training.weightAverage > 0);
    agent.dispose();
  });

  it('standardising is the same in the graph', async () => {
    const recipe = adjustRecipe(recipes.edge, small);
    const sizes = networkSizes(recipe, observationSpec(recipe, tasks['standing-still']), 1);
    const { inputs, step } = prepareStep('h2o', recipe, sizes, realRows(4));
    const shapes = inputShapes(inputs, sizes);
    const results = [];
    for (const [how, engine] of Object.entries({ eager, traced })) {
      const agent = testAgent(how, [1], sizes);
      const run = await engine(agent, step(agent), shapes);
      results.push(await run(testInputs(shapes, 5)));
      agent.dispose();
    }
    const [one, other] = results;
    for (const [metric, values] of Object.entries(one ?? {})) {
      expect(other?.[metric]?.[0], metric).toBeCloseTo(values[0] ?? Number.NaN, 4);
    }
  });
});
