import { say } from '../../src/commands/output.ts';
import { Agent } from '../../src/learning/agent.ts';
import { openEngine } from '../../src/learning/engines.ts';
import type { Recipe } from '../../src/learning/recipes/recipe.ts';
import { recipes } from '../../src/learning/recipes/recipes.ts';
import { prepareStep } from '../../src/learning/recipes/settings.ts';
import { GraphRunner } from '../../src/learning/tracing/graph-runner.ts';
import { productFlops, productsAlone } from '../../src/learning/tracing/products.ts';
import { trace } from '../../src/learning/tracing/trace.ts';
import { Learner, withPolicy } from '../../src/learning/training/learner.ts';
import { NoiseStream } from '../../src/learning/training/noise.ts';
import { StepFeed } from '../../src/learning/training/step-feed.ts';
import { TransitionMemory } from '../../src/learning/training/transition-memory.ts';
import { View } from '../../src/learning/training/view.ts';
import { stepProgram } from '../../src/learning/training-step.ts';
import { Random } from '../../src/random.ts';
import { hasPytorch, pytorchFigures } from './pytorch.ts';

interface Case {
  readonly recipe: Recipe;
  readonly observation: number;
  readonly action: number;
  readonly seeds: number;
}

/** Whole steps of H2O, the dearest algorithm. */
const CASES = {
  /** the paper's HalfCheetah: 256-256 everywhere, 128 real and 128 simulated rows, discriminators on 256 and 256 */
  paper: { recipe: recipes['paper-halfcheetah'], observation: 17, action: 6, seeds: 1 },
  /** the authors' settings for the robot: 32-32, discriminators 256-256, 16 and 16 rows */
  robot: { recipe: recipes.paper, observation: 4, action: 1, seeds: 1 },
  /** what trains on the robot: 32-32 everywhere, eight seeds in one graph */
  edge8: { recipe: recipes.edge, observation: 4, action: 1, seeds: 8 },
} as const satisfies Record<string, Case>;

const ROWS = 5000;
/** A figure is the median of so many rounds: other programs come and go. */
const ROUNDS = 7;

interface Figures {
  readonly cpuMsPerStep: number;
  readonly wallMsPerStep: number;
}

/** Runs something again and again. @returns medians over rounds */
async function timed(steps: number, once: () => unknown, rounds = ROUNDS): Promise<Figures> {
  for (let step = 0; step < Math.ceil(steps / 4); step++) await once();
  const cpu: number[] = [];
  const wall: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const [began, used] = [performance.now(), process.cpuUsage()];
    for (let step = 0; step < steps; step++) await once();
    const { user, system } = process.cpuUsage(used);
    cpu.push((user + system) / 1000 / steps);
    wall.push((performance.now() - began) / steps);
  }
  return { cpuMsPerStep: median(cpu), wallMsPerStep: median(wall) };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

function memoryOf({ observation, action }: Case, seed: number): TransitionMemory {
  const memory = new TransitionMemory(ROWS, observation, action);
  const noise = new NoiseStream(seed);
  const [s, sNext, a] = [new Float32Array(observation), new Float32Array(observation), new Float32Array(action)];
  for (let row = 0; row < ROWS; row++) {
    noise.fillNormal(s);
    sNext.set(s.map((value) => value + 0.1 * noise.normal()));
    noise.fillUniform(a);
    memory.add(s, a, { reward: 10 + noise.normal(), observation: sNext, terminated: false, truncated: false });
  }
  return memory;
}

/** A step as the training loop prepares it. */
function stepOf(of: Case) {
  const { recipe, observation, action, seeds } = of;
  const sizes = { observation, action, ...recipe.networks };
  const real = memoryOf(of, 1);
  const { observations: s, actions: a, nextObservations: sNext } = real.remember();
  const prepared = prepareStep('h2o', recipe, sizes, { s, a, sNext });
  const agent = new Agent({
    sizes,
    random: Array.from({ length: seeds }, (_, seed) => {
      const random = new Random(seed);
      return () => random.uniform();
    }),
  });
  const feed = new StepFeed(prepared.inputs, sizes, seeds);
  const names = Array.from({ length: observation }, (_, index) => String(index));
  const view = new View(names, { terms: names.map((name) => ({ name, scale: 1 })), reward: { offset: 0, scale: 1 } });
  const sims = Array.from({ length: seeds }, (_, seed) => memoryOf(of, 100 + seed));
  const noise = sims.map((_, seed) => new NoiseStream(seed));
  const fill = () => {
    for (const [seed, stream] of noise.entries()) {
      const sim = sims[seed];
      feed.fill(seed, { real, ...(sim && { sim }) }, view, stream);
    }
  };
  const program = stepProgram(agent, withPolicy(agent, prepared.step(agent)), prepared.inputs);
  return { agent, feed, fill, program, seeds: Array.from({ length: seeds }, (_, seed) => seed) };
}

async function engineFigures(
  of: Case,
  engine: string,
  steps: number,
  options: { inThisThread?: boolean; rounds?: number },
) {
  const { agent, feed, fill, program, seeds } = stepOf(of);
  const runner = await openEngine(engine, program, options);
  const learner = new Learner({ runner, feed, seeds });
  let step = 0;
  const figures = await timed(
    steps,
    () => {
      fill();
      step += 1;
      return learner.step(step, 3e-4);
    },
    options.rounds,
  );
  await runner.dispose();
  agent.dispose();
  return figures;
}

/** CPU of the step's matrix products alone, and of what is drawn for it. */
async function parts(of: Case, steps: number) {
  const { agent, fill, program } = stepOf(of);
  const { products } = trace(program.step, program.inputs, program.variables);
  const alone = productsAlone(products);
  const noise = new NoiseStream(3);
  const factors = alone.state.map(({ name, shape }) => {
    const data = new Float32Array(shape.reduce((size, length) => size * length, 1));
    noise.fillNormal(data);
    return [name, data] as const;
  });
  const runner = await GraphRunner.create(alone, Object.fromEntries(factors));
  const gemm = await timed(steps, () => runner.run({}));
  await runner.dispose();
  agent.dispose();
  const feed = await timed(steps, fill);
  return {
    gemmCpuMs: gemm.cpuMsPerStep,
    feedCpuMs: feed.cpuMsPerStep,
    megaFlops: productFlops(products) / 1e6,
  };
}

const rounded = (figures: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Number(value.toPrecision(4))]));

async function measured(of: Case, steps: number) {
  const thread = await engineFigures(of, 'onnx', steps, {});
  const inThisThread = await engineFigures(of, 'onnx', steps, { inThisThread: true });
  const { gemmCpuMs, feedCpuMs, megaFlops } = await parts(of, steps);
  const inThread = { inThisThreadCpuMs: inThisThread.cpuMsPerStep };
  return { ...thread, gemmCpuMs, ratio: thread.cpuMsPerStep / gemmCpuMs, feedCpuMs, ...inThread, megaFlops };
}

/** The same step in eager PyTorch, where it is installed. */
async function anchor({ recipe, observation, action }: Case, steps: number) {
  const { networks, training, discriminators } = recipe;
  const sizes = {
    observation,
    action,
    hidden: networks.hidden[0] ?? 0,
    discriminatorHidden: networks.discriminatorHidden[0] ?? 0,
    batch: training.batch / 2,
    discriminatorBatch: discriminators.batch,
  };
  return rounded({ ...(await pytorchFigures(sizes, steps, ROUNDS)) });
}

/** Time of a whole training step of H2O: batches and noise drawn, losses, gradients, Adam, targets; no simulator. */
export async function training(): Promise<object> {
  const row = (name: string, figures: Readonly<Record<string, number>>) =>
    say(
      `${name.padEnd(13)} ${Object.entries(figures)
        .map(([key, value]) => `${key} ${value}`)
        .join('  ')}`,
    );
  const paper = rounded(await measured(CASES.paper, 60));
  row('paper', paper);
  const robot = rounded(await measured(CASES.robot, 400));
  row('robot', robot);
  const eight = await measured(CASES.edge8, 200);
  const perSeed = eight.cpuMsPerStep / CASES.edge8.seeds;
  const edge8 = rounded({ cpuMsPerStepPerSeed: perSeed, ...eight });
  row('edge8', edge8);
  const pytorch = (await hasPytorch()) && {
    paper: await anchor(CASES.paper, 20),
    robot: await anchor(CASES.robot, 100),
  };
  const faster = (of: 'paper' | 'robot', { cpuMsPerStep = Number.NaN }: Readonly<Record<string, number>>) =>
    pytorch ? rounded({ [of]: (pytorch[of].cpuMsPerStep ?? Number.NaN) / cpuMsPerStep }) : {};
  const timesFasterThanPyTorch = { ...faster('paper', paper), ...faster('robot', robot) };
  if (pytorch) {
    row('pytorch paper', pytorch.paper);
    row('pytorch robot', pytorch.robot);
    row('times faster', timesFasterThanPyTorch);
  } else say('PyTorch is not installed (Debian: python3-torch libopenblas0): nothing to compare with');
  const eager = {
    paper: rounded({ ...(await engineFigures(CASES.paper, 'cpu', 1, { rounds: 3 })) }),
    robot: rounded({ ...(await engineFigures(CASES.robot, 'cpu', 4, { rounds: 3 })) }),
  };
  row('eager paper', eager.paper);
  row('eager robot', eager.robot);
  return { paper, robot, edge8, ...(pytorch && { pytorch, timesFasterThanPyTorch }), eager };
}
