import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { messageOf } from '../../errors.ts';
import {
  CONFIRMATION_FOLDER,
  CONFIRMATION_SOCKET,
  confirmationAnswerOf,
  confirmationRequestSchema,
  type StopSeen,
} from '../../messages/confirmation.ts';
import type { Refusal } from '../../messages/requests.ts';
import { jsonForSocket, SocketKind, SocketSplitter } from '../../messages/socket-frame.ts';

export interface ConfirmationDoorOptions {
  readonly runtimeDirectory: string;
  /** the stop that is in force, as whoever confirms is to see it */
  readonly seen: () => StopSeen;
  /** @returns why not, or `undefined` when it is confirmed */
  readonly confirm: (stop: number) => Refusal | undefined;
}

const LONGEST_REQUEST = 256;
const MOST_CONNECTIONS = 4;
/** Whoever confirms is a command and not a person who thinks [ms]. */
const PATIENCE = 10_000;

/**
 * Where a reset is confirmed: a socket of its own in a folder that only control's own user may enter, so that the gateway
 * cannot, which runs as another. (Node tells nobody who is at the other end of a socket, so the file system has to.)
 * One question and one answer a connection. Without this door nothing can be confirmed, and no stop is undone.
 */
export class ConfirmationDoor {
  /** why nobody can confirm anything; empty while the door is open */
  problem = 'not open yet';
  readonly #options: ConfirmationDoorOptions;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(options: ConfirmationDoorOptions) {
    this.#options = options;
  }

  /** Never throws: a robot whose door is shut can still be stopped. See `problem`. */
  async open(): Promise<void> {
    try {
      const folder = join(this.#options.runtimeDirectory, CONFIRMATION_FOLDER);
      makeOwnFolder(folder);
      const path = join(folder, CONFIRMATION_SOCKET);
      rmSync(path, { force: true });
      const server = createServer((socket) => this.#welcome(socket));
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ path, backlog: MOST_CONNECTIONS }, resolve);
      });
      server.on('error', () => {});
      chmodSync(path, 0o600);
      this.#server = server;
      this.problem = '';
    } catch (error) {
      this.problem = messageOf(error);
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  #welcome(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (this.#sockets.size >= MOST_CONNECTIONS) {
      // Only control's own user is here; the newest is the one who waits at a keyboard.
      for (const oldest of [...this.#sockets].slice(0, 1)) oldest.destroy();
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.setTimeout(PATIENCE, () => socket.destroy());
    const splitter = new SocketSplitter(LONGEST_REQUEST);
    socket.on('data', (bytes) => {
      splitter.push(bytes);
      const message = splitter.next();
      if (message) socket.end(jsonForSocket(this.#answer(message.kind, message.payload)));
      else if (splitter.broken) socket.destroy();
    });
    // What is confirmed is the stop that was seen on this very connection.
    socket.write(jsonForSocket(this.#options.seen()));
  }

  #answer(kind: number, payload: Buffer): object {
    const request = kind === SocketKind.json ? parse(payload) : undefined;
    if (!request) {
      return confirmationAnswerOf({
        code: 'malformed-request',
        message: 'this is no confirmation',
        remedy: 'use `h2o-edge reset --confirm`',
      });
    }
    return confirmationAnswerOf(this.#options.confirm(request.confirm));
  }
}

function parse(payload: Buffer) {
  try {
    return confirmationRequestSchema.safeParse(JSON.parse(payload.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

/**
 * A folder that is ours and that nobody else may enter. One that somebody else has put there is not used, nor a link to
 * another.
 */
function makeOwnFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(path);
  const own = lstatSync(path).isDirectory() && uid === process.getuid?.();
  if (!own) throw new Error(`${path} is not a folder of control's own user`);
  if ((mode & 0o077) !== 0) chmodSync(path, 0o700);
}
