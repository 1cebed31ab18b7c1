import { lstat, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { EdgeError, messageOf } from '../errors.ts';
import { type SimReply, type SimRequest, simRequestSchema } from './sim-requests.ts';

/** The simulator's remote control: a unix socket, JSON lines, one reply a request and in their order. */
export class ControlSocket {
  readonly #path: string;
  readonly #handle: (request: SimRequest) => Promise<SimReply>;
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;

  constructor(path: string, handle: (request: SimRequest) => Promise<SimReply>) {
    this.#path = path;
    this.#handle = handle;
  }

  /** @throws EdgeError `portUnavailable` where the path cannot be bound */
  async start(): Promise<void> {
    const left = await lstat(this.#path).catch(() => undefined);
    if (left?.isSocket()) await rm(this.#path);
    const server = createServer((socket) => this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        const message = `cannot listen on ${this.#path}: ${error.message}`;
        reject(new EdgeError('portUnavailable', message, 'choose another path (at most 107 bytes)'));
      });
      server.listen(this.#path, resolve);
    });
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    // lets a last reply out
    for (const socket of this.#connections) socket.destroySoon();
    await closed;
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket);
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('error', () => socket.destroy());
    let last: Promise<void> = Promise.resolve();
    createInterface({ input: socket }).on('line', (line) => {
      last = last.then(async () => {
        const reply = await this.#answer(line);
        if (socket.writable) socket.write(`${JSON.stringify(reply)}\n`);
      });
    });
  }

  async #answer(line: string): Promise<SimReply> {
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch (error) {
      return { ok: false, error: `not JSON: ${messageOf(error)}` };
    }
    const request = simRequestSchema.safeParse(json);
    if (!request.success) return { ok: false, error: z.prettifyError(request.error) };
    try {
      return await this.#handle(request.data);
    } catch (error) {
      return { ok: false, error: messageOf(error) };
    }
  }
}
