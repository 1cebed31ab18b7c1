import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { EdgeError, messageOf } from '../errors.ts';

const replySchema = z.union([
  z.looseObject({ ok: z.literal(true) }),
  z.strictObject({ ok: z.literal(false), error: z.string() }),
]);

/** Ground truth, as the simulator tells it; see `RobotSim`. */
export const truthSchema = z.looseObject({
  time: z.number(),
  x: z.number(),
  speed: z.number(),
  pitch: z.number(),
  tilt: z.number(),
  state: z.string(),
  hand: z.boolean(),
  lifts: z.number(),
  falls: z.number(),
  ended: z.boolean(),
  slips: z.number(),
  commandsRejected: z.record(z.string(), z.number()),
  latencyUs: z.looseObject({ count: z.number(), p50: z.number(), p99: z.number(), max: z.number() }),
});
export type Truth = z.output<typeof truthSchema>;

export const measurementSchema = z.looseObject({
  seconds: z.number(),
  maxAbsX: z.number(),
  distance: z.number(),
  meanSpeed: z.number(),
  falls: z.number(),
  maxTilt: z.number(),
  maxWheelTorque: z.number(),
  lastActive: z.number(),
  lastTorque: z.number(),
});
export type Measurement = z.output<typeof measurementSchema>;

/** The client's side of the simulator's socket: JSON lines, answered in order. */
export class SimulatorClient {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #waiting: Array<(line: string | undefined) => void> = [];

  private constructor(socket: Socket, path: string) {
    this.#socket = socket;
    this.#path = path;
    createInterface({ input: socket }).on('line', (line) => this.#waiting.shift()?.(line));
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      for (const settle of this.#waiting.splice(0)) settle(undefined);
    });
  }

  /** @throws EdgeError `notRunning` */
  static async connect(path: string): Promise<SimulatorClient> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (error) =>
        reject(
          new EdgeError(
            'notRunning',
            `no simulator answers on ${path}: ${messageOf(error)}`,
            'start one with `h2o-edge robot-sim`; it prints the path of its socket',
          ),
        ),
      );
    });
    return new SimulatorClient(socket, path);
  }

  close(): void {
    this.#socket.destroy();
  }

  /** @throws EdgeError `requestRefused`, `noAnswer` */
  async request(verb: string, parameters: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const line = await new Promise<string | undefined>((resolve) => {
      this.#waiting.push(resolve);
      this.#socket.write(`${JSON.stringify({ verb, ...parameters })}\n`);
    });
    if (line === undefined) {
      throw new EdgeError('noAnswer', `the simulator ended before it answered "${verb}"`, 'start it again');
    }
    const reply = replySchema.parse(JSON.parse(line));
    if (!reply.ok)
      throw new EdgeError('requestRefused', `the simulator refuses "${verb}": ${reply.error}`, 'correct the request');
    return reply;
  }

  async truth(): Promise<Truth> {
    return truthSchema.parse(await this.request('truth'));
  }

  async measure(name: string): Promise<Measurement> {
    return measurementSchema.parse(await this.request('measure', { name }));
  }

  /** Resolves after that much simulated time [s]. On a connection of its own, since answers come in order. */
  async wait(seconds: number): Promise<void> {
    const waiter = await SimulatorClient.connect(this.#path);
    try {
      await waiter.request('wait', { seconds });
    } finally {
      waiter.close();
    }
  }
}
