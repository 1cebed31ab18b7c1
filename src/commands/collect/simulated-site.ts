import type { ChildProcess } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EdgeError } from '../../errors.ts';
import type { ControlClient } from '../../gateway/control-client.ts';
import { CONFIG_NAME } from '../context.ts';
import { connectOnceUp, end, type Furniture, firstLine, furnish, spawnUnderPriority } from '../demo/stage.ts';
import { exitOf, startControl, startGateway } from '../run.ts';
import { SimulatorClient } from '../simulator-client.ts';

const cli = fileURLToPath(new URL('../../h2o-edge.cjs', import.meta.url));

/** In step with the answers time flies: five heartbeats a second of it must not depend on how busy this machine is [ms]. */
const HEARTBEAT_PATIENCE = 30_000;

/** Ctrl-C in a terminal reaches everything in its foreground; who ends in order ends its processes itself. */
const APART = { detached: true } as const;

/** A simulated robot with control and gateway in a folder that stays: as fast as this machine, in step with the answers. */
export class SimulatedSite {
  readonly folder: string;
  readonly operator: KeyObject;
  readonly simulator: SimulatorClient;
  readonly control: ControlClient;
  /** rejects when one of the processes ends although nobody asked it to */
  readonly broken: Promise<never>;
  readonly #children: readonly ChildProcess[];
  #closing = false;

  private constructor(folder: string, operator: KeyObject, children: readonly ChildProcess[], clients: Clients) {
    this.folder = folder;
    this.operator = operator;
    this.simulator = clients.simulator;
    this.control = clients.control;
    this.#children = children;
    this.broken = Promise.race(children.map(exitOf)).then(async (how) => {
      if (this.#closing) return await new Promise<never>(() => {});
      throw new EdgeError(
        'scenarioFailed',
        `a process of the simulated robot ended (${how})`,
        'see its complaint above',
      );
    });
    this.broken.catch(() => {});
  }

  /**
   * @param folder that is not there yet, or is empty
   * @param simulatorWords for `robot-sim`, beside pace and sockets
   * @param furniture and the broker; default: what ships, and none
   * @throws EdgeError `usage`; what the processes complained of is on stderr
   */
  static async start(
    folder: string,
    simulatorWords: readonly string[],
    { brokerUrl = '', config: keys, ...furniture }: Furniture & { readonly brokerUrl?: string } = {},
  ): Promise<SimulatedSite> {
    if (existsSync(folder) && readdirSync(folder).length > 0) {
      throw new EdgeError('usage', `${folder} is there already, and not empty`, 'name another folder with --out');
    }
    const made = mkdirSync(folder, { recursive: true });
    const children: ChildProcess[] = [];
    // Whatever ends this program, save for SIGKILL, ends them.
    process.once('exit', () => {
      for (const child of children) {
        child.kill('SIGTERM');
        // One whose time stands still does not even hear that.
        child.kill('SIGCONT');
      }
    });
    const add = (child: ChildProcess): ChildProcess => {
      children.push(child);
      return child;
    };
    try {
      const link = join(folder, 'port');
      const socket = join(folder, 'sim.sock');
      const words = ['robot-sim', '--pace', 'lockstep', '--link', link, '--socket', socket, ...simulatorWords];
      await firstLine(add(spawnUnderPriority(0, [cli, ...words], APART)));
      const operator = furnish(folder, link, 0, brokerUrl, {
        ...furniture,
        config: { operatorHeartbeat: HEARTBEAT_PATIENCE, ...keys },
      });
      const config = join(folder, CONFIG_NAME);
      const control = await connectOnceUp(join(folder, 'run', 'control.sock'), add(startControl(config, 0, APART)));
      add(startGateway(config, APART));
      return new SimulatedSite(folder, operator, children, {
        simulator: await SimulatorClient.connect(socket),
        control,
      });
    } catch (error) {
      await Promise.all(children.map(end));
      // Nothing was collected: the same words, put right, are to find nothing in their way.
      if (made !== undefined) rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** of its processes */
  get pids(): number[] {
    return this.#children.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  get recordings(): string {
    return join(this.folder, 'state', 'recordings');
  }

  /**
   * Lets the robot's time stand still, or pass again: as fast as this machine means that a robot that only lies there, too,
   * takes all of the processor that it gets. Its control sees a motor controller that fell silent, so let it be disarmed.
   */
  standStill(still: boolean): void {
    this.#children[0]?.kill(still ? 'SIGSTOP' : 'SIGCONT');
  }

  /** Ends every process: the robot first, control next, and the gateway once it has what they left. The folder stays. */
  async close(): Promise<void> {
    this.#closing = true;
    this.standStill(false);
    this.control.close();
    this.simulator.close();
    for (const child of this.#children) await end(child);
  }
}

interface Clients {
  readonly simulator: SimulatorClient;
  readonly control: ControlClient;
}
