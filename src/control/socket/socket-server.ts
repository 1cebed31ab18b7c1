import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { EdgeError, messageOf } from '../../errors.ts';
import { type Request, requestSchema } from '../../messages/requests.ts';
import { frameForSocket, jsonForSocket, MAX_REQUEST, SocketKind, SocketSplitter } from '../../messages/socket-frame.ts';
import type { RowOutbox } from './row-outbox.ts';

type Answer = (body: Record<string, unknown>) => void;

/** What one connection may do; made anew for each, so that what one is told is of no use to another. */
export interface RequestHandler {
  /** Carries a request out; answers go through `answer`, several if need be. Never throws. */
  handle(request: Request, answer: Answer): void;
  /** The connection is gone. */
  closed(): void;
}

export interface SocketServerOptions {
  readonly path: string;
  readonly outbox: RowOutbox;
  readonly handlerFor: () => RequestHandler;
  /** told the code of what the server itself refuses */
  readonly onRefused?: (code: string) => void;
}

/** Answers, events and rows wait in a connection's buffer up to this many bytes. */
const WRITE_BUFFER = 1 << 18;
const MOST_CONNECTIONS = 16;
/** Connections accepted in a second; more of them close the door for a while, for each costs a part of a tick. */
const ACCEPTS_PER_SECOND = 50;
const DOOR_CLOSED = 1000;

interface Connection {
  readonly socket: Socket;
  readonly splitter: SocketSplitter;
  readonly handler: RequestHandler;
  listens: boolean;
}

/**
 * Control's unix socket: requests in, answers, events and rows out. Whoever is on the other side may be hostile: one request
 * is looked at in each turn of the event loop, whoever sent it, so that sensor frames always come in between.
 */
export class SocketServer {
  readonly counters = {
    /** answers and events that did not fit into a connection's buffer */
    answersDropped: 0,
    /** connections closed because they did not speak the protocol */
    connectionsBroken: 0,
    /** connections closed to make room for newer ones */
    connectionsEvicted: 0,
    /** times that too many connections at once closed the door for a second */
    doorClosed: 0,
    /** requests that were not of any known form */
    requestsMalformed: 0,
  };
  readonly #options: SocketServerOptions;
  readonly #connections = new Set<Connection>();
  /** connections with bytes that nobody has looked at */
  readonly #waiting = new Set<Connection>();
  readonly #lock: Server = createServer();
  #serving = false;
  #server: Server | undefined;
  #rowReader: Connection | undefined;
  #accepts = 0;
  #stopped = false;
  #door: NodeJS.Timeout | undefined;

  constructor(options: SocketServerOptions) {
    this.#options = options;
  }

  /** @throws EdgeError `portUnavailable` when another control has the socket */
  async start(): Promise<void> {
    const { path } = this.#options;
    try {
      mkdirSync(dirname(path), { recursive: true });
    } catch (error) {
      throw new EdgeError(
        'portUnavailable',
        `cannot make ${dirname(path)}: ${messageOf(error)}`,
        'check runtimeDirectory',
      );
    }
    // A name that the kernel gives to one process and takes back when it dies; a file would outlive it.
    const name = createHash('sha256').update(path).digest('hex').slice(0, 32);
    await listen(this.#lock, `\0h2o-edge-control-${name}`, 1).catch(() => {
      const remedy = 'stop it first, or give this one another runtimeDirectory';
      throw new EdgeError('portUnavailable', `another control is running on ${path}`, remedy);
    });
    await this.#open();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#door);
    for (const { socket } of this.#connections) socket.destroy();
    await Promise.all([this.#server, this.#lock].map((server) => server && close(server)));
  }

  /** To everybody who listens. */
  broadcast(event: object): void {
    const listeners = [...this.#connections].filter((connection) => connection.listens);
    if (listeners.length === 0) return;
    const framed = jsonForSocket(event);
    for (const { socket } of listeners) this.#write(socket, framed);
  }

  async #open(): Promise<void> {
    const { path } = this.#options;
    // The lock is ours, so what is left at the path is a dead process's.
    rmSync(path, { force: true });
    const server = createServer((socket) => this.#welcome(socket));
    this.#server = server;
    mkdirSync(dirname(path), { recursive: true });
    await listen(server, path, MOST_CONNECTIONS).catch((error: unknown) => {
      const remedy = 'check runtimeDirectory and its permissions; the path may have at most 107 bytes';
      throw new EdgeError('portUnavailable', `cannot listen on ${path}: ${messageOf(error)}`, remedy);
    });
    // An error of a single accept is that connection's misfortune.
    server.on('error', () => {});
    if (this.#stopped) return close(server);
    chmodSync(path, 0o660);
    this.#accepts = 0;
    this.#door = setInterval(() => {
      this.#accepts = 0;
    }, 1000);
  }

  #welcome(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    this.#accepts += 1;
    if (this.#accepts > ACCEPTS_PER_SECOND) {
      socket.destroy();
      this.#closeDoor();
      return;
    }
    if (this.#connections.size >= MOST_CONNECTIONS) this.#evictOldest();
    const { handlerFor } = this.#options;
    const splitter = new SocketSplitter(MAX_REQUEST);
    const connection: Connection = { socket, splitter, handler: handlerFor(), listens: false };
    this.#connections.add(connection);
    socket.on('data', (bytes) => {
      socket.pause();
      splitter.push(bytes);
      this.#waiting.add(connection);
      this.#serveSoon();
    });
    socket.on('close', () => this.#forget(connection));
  }

  /** A flood of connections: those who are in stay in, nobody else comes in for a second. */
  #closeDoor(): void {
    if (!this.#server?.listening) return;
    this.counters.doorClosed += 1;
    clearInterval(this.#door);
    this.#server.close();
    this.#openLater();
  }

  #openLater(): void {
    this.#door = setTimeout(() => {
      // Control must not end because its socket's folder is gone for a while.
      void this.#open().catch(() => this.#openLater());
    }, DOOR_CLOSED);
  }

  /** Whoever comes last may be the one who wants to stop the robot. */
  #evictOldest(): void {
    const oldest = [...this.#connections].find((connection) => connection !== this.#rowReader);
    if (!oldest) return;
    this.counters.connectionsEvicted += 1;
    this.#forget(oldest);
    oldest.socket.destroy();
  }

  #forget(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#waiting.delete(connection);
    connection.handler.closed();
    if (this.#rowReader !== connection) return;
    this.#rowReader = undefined;
    this.#options.outbox.detach();
  }

  #serveSoon(): void {
    if (this.#serving) return;
    this.#serving = true;
    setImmediate(() => {
      this.#serving = false;
      this.#serveOne();
      if (this.#waiting.size > 0) this.#serveSoon();
    });
  }

  /** One message of the connection whose turn it is. */
  #serveOne(): void {
    const [connection] = this.#waiting;
    if (!connection) return;
    this.#waiting.delete(connection);
    const { socket, splitter } = connection;
    const message = splitter.next();
    if (splitter.broken || (message && message.kind !== SocketKind.json)) {
      this.counters.connectionsBroken += 1;
      socket.destroy();
    } else if (message) {
      this.#serve(message.payload, connection);
      // Back to the end of the queue: there may be more behind it.
      this.#waiting.add(connection);
    } else socket.resume();
  }

  #serve(payload: Buffer, connection: Connection): void {
    const { id, request, problem } = parseRequest(payload);
    const answer: Answer = (body) => this.#write(connection.socket, jsonForSocket({ id, ...body }));
    if (request === undefined) {
      this.counters.requestsMalformed += 1;
      this.#options.onRefused?.('malformed-request');
      answer(refused('malformed-request', problem, 'see src/messages/requests.ts for the requests'));
    } else if (request.request === 'subscribe') this.#subscribe(connection, request, answer);
    else connection.handler.handle(request, answer);
  }

  #subscribe(connection: Connection, { rows, events }: { rows: boolean; events: boolean }, answer: Answer): void {
    if (rows && this.#rowReader !== undefined && this.#rowReader !== connection) {
      const message = 'another program takes the rows already';
      this.#options.onRefused?.('rows-taken');
      answer(refused('rows-taken', message, 'end the other gateway first; there is one for each robot'));
      return;
    }
    connection.listens ||= events;
    answer({ ok: true });
    if (!rows || this.#rowReader === connection) return;
    this.#rowReader = connection;
    const { socket } = connection;
    this.#options.outbox.attach({
      ready: () => socket.writableLength < WRITE_BUFFER,
      write: (bytes) => socket.write(frameForSocket(SocketKind.row, bytes)),
      writeTape: (bytes) => socket.write(frameForSocket(SocketKind.tape, bytes)),
    });
  }

  #write(socket: Socket, framed: Buffer): void {
    if (socket.destroyed) return;
    if (socket.writableLength < WRITE_BUFFER) socket.write(framed);
    else this.counters.answersDropped += 1;
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

const refused = (code: string, message: string, remedy: string) => ({ ok: false, refusal: { code, message, remedy } });

const listen = (server: Server, path: string, backlog: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, backlog }, () => {
      server.off('error', reject);
      resolve();
    });
  });

const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
