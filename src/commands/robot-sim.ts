import { type Command, Option } from 'commander';
import { EdgeError } from '../errors.ts';
import { loadRobot } from '../robot/robot.ts';
import type { RobotSimOptions } from '../simulation/robot-sim-options.ts';
import { sayJson } from './output.ts';
import { SimulatorClient } from './simulator-client.ts';

interface Options extends Omit<RobotSimOptions, 'robot' | 'gaps'> {
  robot: string;
  gap?: string[];
}

const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) {
    throw new EdgeError('usage', `"${text}" is not a number`, 'give a number');
  }
  return value;
};

/** Options that `robot-sim` and `demo` share. */
export const withSimulation = (command: Command, paces: readonly string[] = ['real', 'lockstep']): Command =>
  command
    .option('--gap <name...>', 'dynamics gaps, names that ship or files; several compose')
    .option('--seed <n>', 'seed of everything random in the simulation', number)
    .option('--rate <hz>', 'rate of sensor frames, 100 to 1000', number)
    .option('--baud <bit/s>', 'model the time that bytes take on the wire', number)
    .option(
      '--playback <file>',
      'play a recorded log (x v pitch pitch-rate torque done at 200 Hz) in place of the twin',
    )
    .addOption(new Option('--pace <pace>', 'real time, or in step with the answers').choices(paces));

/** Parameters that may be given by their place. */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  sensor: ['sensor', 'fault'],
  link: ['fault'],
  motor: ['side', 'fault'],
};

const FAULTS_HELP = `
Faults of a running simulator, in MCU time, repeated by its seed. All take after=SECONDS until they begin; those marked * seconds=SECONDS
until they end, else they last until "none" or "mend":
  sensor NAME FAULT *    off stuck garbage wrong slow delayed intermittent noisy none [amount=…], of gyro acceleration attitude
                         wheelPosition wheelVelocity legs wheelTorqueMeasured battery temperature, or imu, or all
  link FAULT *           flip drop duplicate reorder [rate=0…1] delay [amount=MS] none [direction=to-host|to-mcu|both] [frames=N]
  motor SIDE FAULT *     dead stuck frozen reversed none, of left right both
  slip friction=SCALE *  of every contact
  payload kilograms=KG * [forward=M]
  brown-out              [volts=V] [sag=S] [off=S]
  push newtons=N seconds=S
  fault bits=N           hardware faults of the motor controller, 0 ends them
  reboot                 resets the motor controller
  mend                   ends all of them`;

export function registerRobotSim(program: Command): void {
  withSimulation(program.command('robot-sim'), ['real', 'lockstep', 'stepped'])
    .description('a simulated robot behind a serial port, or a word to a running one: robot-sim lift --socket PATH')
    .argument(
      '[verb]',
      'lift, truth, wait, advance, mark, measure, unplug, replug, garbage, restart, quit, or a fault (below)',
    )
    .argument('[parameters...]', 'of the verb, as key=value')
    .addHelpText('after', FAULTS_HELP)
    .option('--robot <name>', 'a robot that ships, or a robot file', 'wheel-legged')
    .option('--hand', 'hold the robot upright until it is armed')
    .option('--patience <ms>', 'at real pace: how long a stalled host is waited for', number)
    .option('--link <path>', 'symbolic link to the port')
    .option('--socket <path>', "path of the simulator's control socket")
    .option('--log <file>', 'write everything that the MCU sends and receives, a JSON object a line')
    .option('--start-sequence <n>', "sequence of the MCU's first frames", number)
    .option('--start-time-micros <n>', 'MCU clock at boot [µs]', number)
    .action(async (verb: string | undefined, parameters: string[], options: Options) => {
      if (verb === undefined) await simulate(options);
      else await tell(verb, parameters, options.socket);
    });
}

async function simulate({ robot, gap, ...options }: Options): Promise<void> {
  // Only here: a robot's computer has no simulator installed, and needs none for the other commands.
  const { runRobotSim } = await import('../simulation/robot-sim.ts');
  await runRobotSim({ ...options, robot: loadRobot(robot), ...(gap && { gaps: gap }) });
}

async function tell(verb: string, parameters: readonly string[], socket: string | undefined): Promise<void> {
  if (socket === undefined) {
    throw new EdgeError(
      'usage',
      `"${verb}" is for a running simulator, and none is named`,
      'add --socket PATH; the simulator printed it',
    );
  }
  const client = await SimulatorClient.connect(socket);
  try {
    sayJson(await client.request(verb, parametersOf(verb, parameters)));
  } finally {
    client.close();
  }
}

function parametersOf(verb: string, words: readonly string[]): Record<string, unknown> {
  const places = PLACES[verb] ?? [];
  return Object.fromEntries(
    words.map((word, index) => {
      const place = places[index];
      return place !== undefined && !word.includes('=') ? [place, word] : parseParameter(word);
    }),
  );
}

function parseParameter(text: string): [string, unknown] {
  const [key = '', ...rest] = text.split('=');
  const value = rest.join('=');
  if (key === '' || value === '') throw new EdgeError('usage', `"${text}" is not key=value`, 'for example: seconds=1');
  return [key, Number.isFinite(Number(value)) ? Number(value) : value];
}
