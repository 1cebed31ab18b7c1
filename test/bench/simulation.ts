import { say } from '../../src/commands/output.ts';
import { Random } from '../../src/random.ts';
import { loadRobot } from '../../src/robot/robot.ts';
import { tasks } from '../../src/robot/tasks/tasks.ts';
import type { Environment } from '../../src/simulation/environments/environment.ts';
import { HalfCheetah } from '../../src/simulation/environments/half-cheetah.ts';
import { WheelLegged } from '../../src/simulation/environments/wheel-legged.ts';

/** CPU time that each figure is taken over, after as much to warm up [µs]. */
const LONG_ENOUGH = 2_000_000;

const cpuMicros = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

type Act = (observation: Float32Array, action: Float32Array) => void;

/** @returns decisions per second of CPU time, so that other programs on the machine do not count */
function stepsPerSecond(environment: Environment, act: Act): number {
  const action = new Float32Array(environment.actionSize);
  let seed = 1;
  let observation = environment.reset(seed);
  const forAWhile = () => {
    let steps = 0;
    const from = cpuMicros();
    // process.cpuUsage is a system call: not after each step
    while (cpuMicros() - from < LONG_ENOUGH) {
      for (let i = 0; i < 100; i++, steps++) {
        act(observation, action);
        const step = environment.step(action);
        observation = step.terminated || step.truncated ? environment.reset(++seed) : step.observation;
      }
    }
    return (steps * 1e6) / (cpuMicros() - from);
  };
  forAWhile();
  const rate = Math.round(forAWhile());
  environment.delete();
  return rate;
}

/** Decisions per second of one core: the robot, balancing, at 200 Hz (five physics steps each), and HalfCheetah under random actions. */
export async function simulation(): Promise<object> {
  const robot = loadRobot('wheel-legged');
  const task = tasks['standing-still'];
  // a law that keeps it standing: a robot that lies about costs another time
  const balance: Act = ([x = 0, v = 0, pitch = 0, rate = 0], action) => {
    action[0] = 0.5 * x + 0.8 * v + 5 * pitch + 0.6 * rate;
  };
  const random = new Random(1);
  const anything: Act = (_, action) => {
    for (let i = 0; i < action.length; i++) action[i] = 2 * random.uniform() - 1;
  };
  const measure = async (name: string, made: Promise<Environment>, act: Act) => {
    const rate = stepsPerSecond(await made, act);
    say(`${name.padEnd(34)} ${rate.toString().padStart(7)} steps/s`);
    return { stepsPerSecond: rate };
  };
  const create = (dynamics: 'simulator' | 'twin', gaps: string[] = []) =>
    WheelLegged.create({ robot, task, dynamics, gaps });
  return {
    robot: await measure('robot, ideal simulator', create('simulator'), balance),
    robotTwin: await measure('robot, twin', create('twin'), balance),
    robotRandomised: await measure('robot, randomised each episode', create('simulator', ['randomised']), balance),
    halfcheetah: await measure('HalfCheetah', HalfCheetah.create(), anything),
  };
}
