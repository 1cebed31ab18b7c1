import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { onTestFailed, onTestFinished } from 'vitest';
import { z } from 'zod';
import { buildFolder } from '../firmware-protocol/test/build-folder.ts';
import { has } from '../firmware-protocol/test/c-toolchain.ts';
import { type LatchCause, LatchCauseByValue, type McuState, McuStateByValue } from '../src/protocol/messages.gen.ts';
import { endProcess, patientHost, type RobotOptions, TestRobot, temporaryFolder, until } from './harness.ts';

/** The example firmware on QEMU, a real control at its UART: hardware in the loop without hardware. */

export const EXAMPLE = fileURLToPath(new URL('../firmware-protocol/example', import.meta.url));

/** What this needs and Debian calls gcc-arm-none-eabi, make, qemu-system-arm, util-linux. */
const TOOLS = ['arm-none-eabi-gcc', 'make', 'qemu-system-arm', 'setpriv'] as const;

export const missingTools: readonly string[] = TOOLS.filter((tool) => !has(tool));

/** Builds the firmware as its author does. @returns the folder with firmware.elf and the object files; it goes with the tests */
export async function buildFirmware(): Promise<string> {
  const folder = buildFolder();
  await promisify(execFile)('make', ['-C', EXAMPLE, `BUILD=${folder}`]);
  return folder;
}

const count = z.number().int().nonnegative();

/** One line of the bench's console; see bench/console.c. */
const lineSchema = z.strictObject({
  timeUs: count,
  state: count,
  latch: count,
  latchCause: count,
  latchedAtUs: count,
  commandAtUs: count,
  commandFresh: count,
  held: count,
  microX: z.number(),
  microSpeed: z.number(),
  microPitch: z.number(),
  microMaxPitch: z.number(),
  microTorque: z.number(),
  accepted: count,
  corrupted: count,
  lost: count,
  wrongSession: count,
  expired: count,
  overruns: count,
  dropped: count,
  roundTripUs: count,
  answers: count,
  unanswered: count,
  slips: count,
});

/** The truth of the simulated robot and its motor controller, every 50 ms of MCU time. */
export interface FirmwareTruth {
  /** MCU time [s] */
  readonly time: number;
  readonly state: McuState;
  readonly latch: number;
  readonly latchCause: LatchCause;
  /** MCU time of the latest latch [s] */
  readonly latchedAt: number;
  /** MCU time at which the last valid command came [s] */
  readonly commandAt: number;
  /** a hand holds the robot */
  readonly held: boolean;
  readonly x: number;
  readonly speed: number;
  readonly pitch: number;
  /** largest lean to either side since the line before */
  readonly maxPitch: number;
  /** of both wheels, as delivered [N·m] */
  readonly torque: number;
  readonly counters: Omit<
    z.output<typeof lineSchema>,
    'timeUs' | 'state' | 'latch' | 'latchCause' | 'latchedAtUs' | 'commandAtUs' | 'held'
  >;
}

function truthOf(text: string): FirmwareTruth {
  const { timeUs, state, latch, latchCause, latchedAtUs, commandAtUs, held, ...counters } = lineSchema.parse(
    JSON.parse(text),
  );
  const { microX, microSpeed, microPitch, microMaxPitch, microTorque } = counters;
  const [stateName, causeName] = [McuStateByValue[state], LatchCauseByValue[latchCause]];
  if (stateName === undefined || causeName === undefined) throw new Error(`no such state or cause: ${text}`);
  return {
    time: timeUs / 1e6,
    state: stateName,
    latch,
    latchCause: causeName,
    latchedAt: latchedAtUs / 1e6,
    commandAt: commandAtUs / 1e6,
    held: held === 1,
    x: microX / 1e6,
    speed: microSpeed / 1e6,
    pitch: microPitch / 1e6,
    maxPitch: microMaxPitch / 1e6,
    torque: microTorque / 1e6,
    counters,
  };
}

/** Letters that the bench's console obeys. */
const ORDERS = {
  lift: 'l',
  push: 'p',
  crash: 'x',
  pressStop: 's',
  releaseStop: 'r',
  setFault: 'f',
  clearFault: 'c',
  hostIsDead: 'd',
} as const;

/** The example firmware and the robot that it simulates, on QEMU. It ends with the test. */
export class Firmware {
  /** all that the console said, oldest first */
  readonly lines: FirmwareTruth[] = [];
  readonly #console: Socket;

  private constructor(text: Socket) {
    this.#console = text;
    createInterface({ input: text }).on('line', (line) => {
      // The first may have begun before we listened.
      if (line.startsWith('{')) this.lines.push(truthOf(line));
    });
  }

  /**
   * Switches it on, with a control at its UART.
   * @param build what `buildFirmware` gave
   */
  static async start(
    build: string,
    options: RobotOptions = {},
  ): Promise<{ readonly firmware: Firmware; readonly robot: TestRobot }> {
    const socket = join(temporaryFolder(), 'console');
    const machine = ['-M', 'lm3s6965evb', '-cpu', 'cortex-m4', '-kernel', join(build, 'firmware.elf')];
    const nothingElse = ['-display', 'none', '-monitor', 'none', '-nic', 'none'];
    const host = ['-chardev', 'pty,id=host', '-serial', 'chardev:host'];
    const console = ['-chardev', `socket,id=console,path=${socket},server=on,wait=off`, '-serial', 'chardev:console'];
    // One that writes to a line that nobody reads does not end by SIGTERM, and would outlive a test that crashed.
    const words = ['--pdeathsig', 'KILL', 'qemu-system-arm', ...machine, ...nothingElse, ...host, ...console];
    const child = spawn('setpriv', words, { stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => endProcess(child));
    const port = await ptyOf(child);
    const text = await until('the console of the firmware', () => connected(socket));
    onTestFinished(() => void text.destroy());
    const firmware = new Firmware(text);
    await until('the console has said something', () => firmware.lines.length > 0);
    // In step with the answers, a busy machine holds MCU time; the host's silence watchdog knows host time only.
    const robot = await TestRobot.onPort(port, { robotFile: patientHost, ...options });
    onTestFailed(() => {
      process.stderr.write(
        `${firmware.lines
          .slice(-5)
          .map((line) => JSON.stringify(line))
          .join('\n')}\n`,
      );
    });
    await robot.startControl();
    return { firmware, robot };
  }

  /** What the console said last. */
  get now(): FirmwareTruth {
    const line = this.lines.at(-1);
    if (!line) throw new Error('the console has not said anything');
    return line;
  }

  tell(what: keyof typeof ORDERS): void {
    this.#console.write(ORDERS[what]);
  }

  /** Waits until a line of the console, from now on, says so. */
  truth(what: string, isSo: (truth: FirmwareTruth) => boolean): Promise<FirmwareTruth> {
    let next = this.lines.length;
    return until(what, () => {
      const found = this.lines.slice(next).find(isSo);
      next = this.lines.length;
      return found;
    });
  }

  /** Lets MCU time pass. @returns what the console said meanwhile */
  async wait(seconds: number): Promise<FirmwareTruth[]> {
    const first = this.lines.length;
    const end = this.now.time + seconds;
    // Patience for each second anew: on a machine that is very busy they are long.
    for (let next = Math.min(end, this.now.time + 1); ; next = Math.min(end, next + 1)) {
      const second = next;
      await until(`${seconds} s of MCU time`, () => this.now.time >= second);
      if (second >= end) break;
    }
    return this.lines.slice(first);
  }
}

/** QEMU names the pty before the firmware runs. */
async function ptyOf(child: ChildProcess): Promise<string> {
  let said = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  return await until('QEMU names its pty', () => {
    if (child.exitCode !== null) throw new Error(`QEMU ended with code ${child.exitCode}: ${said}`);
    return /redirected to (\S+) \(label host\)/.exec(said)?.[1];
  });
}

async function connected(path: string): Promise<Socket | undefined> {
  const socket = connect(path);
  return await new Promise((resolve) => {
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}
