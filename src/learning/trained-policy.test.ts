import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { generateKeyPair } from '../keys/key-pair.ts';
import { bundleFiles, writeBundle } from '../policy/bundle.ts';
import { parseManifest } from '../policy/manifest.ts';
import { Observer } from '../policy/observation.ts';
import { PolicySession } from '../policy/runtime.ts';
import { modelReasons } from '../policy/vet-model.ts';
import { Random } from '../random.ts';
import { loadRobot } from '../robot/robot.ts';
import { tasks } from '../robot/tasks/tasks.ts';
import { Agent } from './agent.ts';
import { tanhGaussian } from './networks.ts';
import { recipes } from './recipes/recipes.ts';
import { networkSizes } from './recipes/settings.ts';
import { tf } from './tf.ts';
import { observationSpec, policyModel, trainedPolicy } from './trained-policy.ts';

const folder = mkdtempSync(join(tmpdir(), 'trained-'));
afterAll(() => rmSync(folder, { recursive: true }));
const robot = loadRobot('wheel-legged');

function agentFor(taskName: keyof typeof tasks, recipe = recipes.edge) {
  const observation = observationSpec(recipe, tasks[taskName], { pitch: [-0.6, 0.6] });
  const random = new Random(3);
  const sizes = networkSizes(recipe, observation, 1);
  const agent = new Agent({ sizes, random: [() => random.uniform()], name: `${taskName}/` });
  // Untrained, its last layer is near zero: any action would do.
  const { parameters, layout } = agent.policy;
  parameters.assign(tf.tensor1d(Array.from({ length: layout.size }, () => random.gaussian() * 0.5)));
  return { agent, observation, sizes };
}

describe('a trained policy', () => {
  it.each(['standing-still', 'moving-straight'] as const)(
    '%s: ONNX Runtime computes tanh(μ) of what the robot observes',
    async (taskName) => {
      const { agent, observation, sizes } = agentFor(taskName);
      const observer = new Observer(observation);
      const session = await PolicySession.open(
        policyModel(sizes, agent.policy.parameters.dataSync<'float32'>()),
        sizes.observation,
        1,
      );
      const random = new Random(4);
      for (let trial = 0; trial < 20; trial += 1) {
        const state = {
          x: random.gaussian(),
          v: random.gaussian(),
          pitch: 0.2 * random.gaussian(),
          pitchRate: random.gaussian(),
          targetVelocity: 0,
          previousAction: 0,
        };
        const { scale } = recipes.edge.observation;
        const seen = (['x', 'v', 'pitch', 'pitchRate'] as const)
          .filter((name) => taskName === 'standing-still' || name !== 'x')
          .map((name) => state[name] * scale[name]);
        const wanted = tf.tidy(
          () =>
            tf.tanh(tanhGaussian(agent.policy.layout, agent.policy.parameters, tf.tensor2d([seen])).mean).dataSync()[0],
        );
        const [action] = await session.run(observer.observe(state));
        expect(action).toBeCloseTo(wanted ?? Number.NaN, 5);
      }
      await session.release();
      agent.dispose();
    },
  );

  it('becomes a bundle that says how it must be run, and that a robot takes', async () => {
    const { agent, observation, sizes } = agentFor('moving-straight');
    const { draft, model } = await trainedPolicy({
      recipe: recipes.edge,
      algorithm: 'h2o',
      task: tasks['moving-straight'],
      robot,
      sizes,
      observation,
      parameters: agent.averagePolicy.parameters.dataSync<'float32'>(),
      probes: [
        [0, 0, 0],
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
      id: 'moving-straight-h2o',
      version: 1,
      description: 'For a test.',
      training: { data: null, seed: 3, steps: 0, revision: null, engine: 'cpu' },
      created: '2026-01-01T00:00:00Z',
      expires: '2036-01-01T00:00:00Z',
    });
    agent.dispose();
    const { privateKey } = generateKeyPair();
    writeBundle(join(folder, 'bundle'), draft, model, privateKey);
    const parsed = parseManifest(readFileSync(join(folder, 'bundle', bundleFiles.manifest.name), 'utf8'));
    expect(parsed).toMatchObject({ ok: true });
    if (!parsed.ok) return;
    const { manifest } = parsed;
    expect(modelReasons(model, manifest)).toEqual([]);
    expect(manifest.rate).toBe(50);
    expect(manifest.observation.terms.map(({ name, scale }) => [name, scale])).toEqual([
      ['v', 5],
      ['pitch', 20],
      ['pitchRate', 2],
    ]);
    expect(manifest.observation.terms[1]?.range).toEqual([-0.6, 0.6]);
    expect(manifest.training?.recipe).toEqual(JSON.parse(JSON.stringify(recipes.edge)));
  });

  it('with a parameter that is not finite is refused', () => {
    const { agent, sizes } = agentFor('standing-still');
    const parameters = agent.policy.parameters.dataSync<'float32'>().slice();
    agent.dispose();
    parameters[5] = Number.NaN;
    expect(() => policyModel(sizes, parameters)).toThrow(/finite/);
    expect(() => policyModel(sizes, parameters.subarray(1))).toThrow(/parameters/);
  });
});
