import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jsonForSocket, MAX_ANSWER, SocketKind, SocketSplitter } from '../../messages/socket-frame.ts';

type Json = Record<string, unknown>;

/** A client that says what it is told to, right or wrong, and keeps what it hears. */
export class RawClient {
  readonly answers: Json[] = [];
  readonly rows: Buffer[] = [];
  readonly tape: Buffer[] = [];
  closed = false;
  readonly socket: Socket;
  readonly #splitter = new SocketSplitter(MAX_ANSWER);
  #id = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('data', (bytes) => {
      this.#splitter.push(bytes);
      for (let message = this.#splitter.next(); message; message = this.#splitter.next()) {
        if (message.kind === SocketKind.row) this.rows.push(Buffer.from(message.payload));
        else if (message.kind === SocketKind.tape) this.tape.push(Buffer.from(message.payload));
        else this.answers.push(JSON.parse(message.payload.toString('utf8')));
      }
    });
  }

  static async connect(path: string): Promise<RawClient> {
    const socket = connect(path);
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Sends a request and waits for its first answer. */
  async ask(request: Json): Promise<Json> {
    this.#id += 1;
    const id = this.#id;
    this.socket.write(jsonForSocket({ id, ...request }));
    await until(() => this.answers.some((answer) => answer.id === id) || this.closed);
    return this.answers.find((answer) => answer.id === id) ?? {};
  }
}

/** The real one, also while a test moves the timers itself. */
const wait = setTimeout;

/** Waits until something is so; a test that waits in vain ends by its own time limit. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => wait(resolve, 1));
}

/** A folder for a socket, and what removes it. */
export function socketFolder(): { path: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-socket-'));
  return { path: join(folder, 'run', 'control.sock'), remove: () => rmSync(folder, { recursive: true }) };
}
