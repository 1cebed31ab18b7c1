import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { EdgeError, messageOf } from '../errors.ts';
import { type Request, requestSchema } from '../messages/requests.ts';
import { frameForSocket, jsonForSocket, SocketKind, SocketSplitter } from '../messages/socket-frame.ts';

/** What one connection may do; made anew for each, so that what one is told is of no use to another. */
export interface RequestHandler {
  /** Carries a request out; answers go through `answer`, several if need be. Never throws. */
  handle(request: Request, answer: (body: Record<string, unknown>) => void): void;
}

export interface SocketServerOptions {
  readonly path: string;
  readonly handlerFor: () => RequestHandler;
}

/** Requests looked at in one turn of the event loop: a flood must not delay the next sensor frame. */
const REQUESTS_PER_TURN = 4;
/** Rows wait in a connection's buffer up to this many bytes; what does not fit is a counted gap. */
const ROW_BUFFER = 1 << 18;
const MOST_CONNECTIONS = 16;

/** Control's unix socket: requests in, answers, events and rows out. */
export class SocketServer {
  readonly counters = {
    /** rows given to the connection that asked for them */
    rowsSent: 0,
    /** rows that nobody had asked for */
    rowsUnclaimed: 0,
    /** rows that did not fit into the connection's buffer */
    rowsDropped: 0,
    /** connections closed because they did not speak the protocol */
    connectionsBroken: 0,
    /** requests that were not of any known form */
    requestsMalformed: 0,
  };
  readonly #options: SocketServerOptions;
  readonly #connections = new Set<Socket>();
  readonly #listeners = new Set<Socket>();
  #server: Server | undefined;
  #rowReader: Socket | undefined;

  constructor(options: SocketServerOptions) {
    this.#options = options;
  }

  /** @throws EdgeError `portUnavailable` when another control has the socket */
  async start(): Promise<void> {
    const { path } = this.#options;
    mkdirSync(dirname(path), { recursive: true });
    if (await answers(path)) {
      throw new EdgeError(
        'portUnavailable',
        `another control is running on ${path}`,
        'stop it first, or give this one another runtimeDirectory',
      );
    }
    // Nobody answers: what is left is a dead process's socket.
    rmSync(path, { force: true });
    const server = createServer((socket) => this.#welcome(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) =>
        reject(
          new EdgeError(
            'portUnavailable',
            `cannot listen on ${path}: ${messageOf(error)}`,
            'check runtimeDirectory and its permissions',
          ),
        ),
      );
      server.listen(path, resolve);
    });
    chmodSync(path, 0o660);
  }

  async stop(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    const server = this.#server;
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** To everybody who listens. */
  broadcast(event: object): void {
    if (this.#listeners.size === 0) return;
    const framed = jsonForSocket(event);
    for (const socket of this.#listeners) if (socket.writableLength < ROW_BUFFER) socket.write(framed);
  }

  /** One encoded row, to the one connection that has asked for rows. */
  row(bytes: Uint8Array): void {
    const reader = this.#rowReader;
    if (reader === undefined) this.counters.rowsUnclaimed += 1;
    else if (reader.writableLength > ROW_BUFFER) this.counters.rowsDropped += 1;
    else {
      this.counters.rowsSent += 1;
      reader.write(frameForSocket(SocketKind.row, bytes));
    }
  }

  #welcome(socket: Socket): void {
    if (this.#connections.size >= MOST_CONNECTIONS) {
      socket.destroy();
      return;
    }
    const handler = this.#options.handlerFor();
    const splitter = new SocketSplitter();
    const waiting: Buffer[] = [];
    this.#connections.add(socket);

    const serve = () => {
      for (const payload of waiting.splice(0, REQUESTS_PER_TURN)) this.#serve(payload, socket, handler);
      if (waiting.length > 0) setImmediate(serve);
      else socket.resume();
    };
    socket.on('data', (bytes) => {
      const messages = splitter.push(bytes);
      if (messages === undefined) {
        this.counters.connectionsBroken += 1;
        socket.destroy();
        return;
      }
      waiting.push(...messages.filter((message) => message.kind === SocketKind.json).map((message) => message.payload));
      if (waiting.length === 0) return;
      socket.pause();
      serve();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#connections.delete(socket);
      this.#listeners.delete(socket);
      waiting.length = 0;
      if (this.#rowReader === socket) this.#rowReader = undefined;
    });
  }

  #serve(payload: Buffer, socket: Socket, handler: RequestHandler): void {
    const { id, request, problem } = parseRequest(payload);
    const answer = (body: Record<string, unknown>) => {
      if (!socket.destroyed && socket.writableLength < ROW_BUFFER) socket.write(jsonForSocket({ id, ...body }));
    };
    if (request === undefined) {
      this.counters.requestsMalformed += 1;
      const refusal = {
        code: 'malformed-request',
        message: problem,
        remedy: 'see src/messages/requests.ts for the requests',
      };
      answer({ ok: false, refusal });
      return;
    }
    if (request.request === 'subscribe') {
      if (request.rows) this.#rowReader = socket;
      if (request.events) this.#listeners.add(socket);
      answer({ ok: true });
      return;
    }
    handler.handle(request, answer);
  }
}

function parseRequest(payload: Buffer): { id: number; request: Request | undefined; problem: string } {
  try {
    const { id, ...rest } = JSON.parse(payload.toString('utf8'));
    const parsed = requestSchema.safeParse(rest);
    const number = typeof id === 'number' ? id : 0;
    return parsed.success
      ? { id: number, request: parsed.data, problem: '' }
      : { id: number, request: undefined, problem: parsed.error.issues.map((issue) => issue.message).join('; ') };
  } catch (error) {
    return { id: 0, request: undefined, problem: messageOf(error) };
  }
}

/** Whether somebody listens on a unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
