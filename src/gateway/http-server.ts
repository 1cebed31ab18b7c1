import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { messageOf } from '../errors.ts';
import { answerEstop, type EstopAnswerer } from './http-estop.ts';
import { METRICS_TYPE } from './metrics.ts';

export interface HttpServerOptions extends EstopAnswerer {
  readonly address: string;
  /** 0: any that is free */
  readonly port: number;
  /** what `GET /metrics` says; not there if not given */
  readonly metrics?: () => string;
  /** it listens, or cannot and will try again */
  readonly onState: (state: { readonly listening: boolean; readonly problem: string }) => void;
}

const MOST_CONNECTIONS = 64;
/** Whoever has not said what he wants by then is not stopping a robot [ms]. */
const REQUEST_TIMEOUT = 5000;
const MOST_HEADERS = 8 << 10;
/** A port that another program has may be free later [ms]. */
const RETRY_INTERVAL = 5000;

/**
 * The gateway's HTTP server. It stops, and tells its metrics; it serves nothing else. Whoever can reach it may stop the robot: any body, any
 * origin, no password. A flood costs the gateway a bounded number of connections, and shuts nobody out: the newest comes
 * in, and the oldest goes.
 */
export class HttpServer {
  readonly counters = {
    /** `POST /estop` */
    stops: 0,
    /** requests for anything else */
    refused: 0,
    /** connections closed to make room for newer ones */
    evicted: 0,
  };
  readonly #options: HttpServerOptions;
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
  }

  /** Never throws: a gateway whose port is taken goes on to record, and tries again. */
  start(): void {
    const { address, port, onState } = this.#options;
    const server = createServer(
      {
        maxHeaderSize: MOST_HEADERS,
        headersTimeout: REQUEST_TIMEOUT,
        requestTimeout: REQUEST_TIMEOUT,
        keepAliveTimeout: 1000,
        connectionsCheckingInterval: 1000,
        // A stop typed by hand into a terminal has none.
        requireHostHeader: false,
      },
      (request, response) => this.#answer(request, response),
    );
    this.#server = server;
    server.on('connection', (socket) => this.#welcome(socket));
    server.on('clientError', (_, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      else socket.destroy();
    });
    server.on('error', (error) => {
      if (server.listening || this.#stopped) return;
      onState({ listening: false, problem: messageOf(error) });
      this.#retry = setTimeout(() => this.start(), RETRY_INTERVAL);
    });
    server.listen({ host: address, port }, () => onState({ listening: true, problem: '' }));
  }

  /** Port that it listens on; `undefined` while it does not. */
  get port(): number | undefined {
    const address = this.#server?.address() as AddressInfo | null | undefined;
    return address?.port;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    for (const socket of this.#connections) socket.destroy();
    const server = this.#server;
    if (server?.listening) await new Promise((resolve) => server.close(resolve));
  }

  #welcome(socket: Socket): void {
    for (const oldest of this.#connections) {
      if (this.#connections.size < MOST_CONNECTIONS) break;
      this.counters.evicted += 1;
      this.#connections.delete(oldest);
      oldest.destroy();
    }
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // Its bytes are of no interest, but they have to be read for the answer to get through.
    request.resume();
    request.on('error', () => {});
    response.on('error', () => {});
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('Cache-Control', 'no-store');
    const path = (request.url ?? '').split(/[?#]/, 1)[0]?.replace(/(.)\/+$/, '$1');
    if (path === '/estop' && request.method === 'POST') {
      this.counters.stops += 1;
      answerEstop(request, response, this.#options);
      return;
    }
    if (path === '/metrics' && request.method === 'GET' && this.#options.metrics) {
      response.writeHead(200, { 'Content-Type': METRICS_TYPE });
      response.end(this.#options.metrics());
      return;
    }
    this.counters.refused += 1;
    if (path === '/estop' && request.method === 'OPTIONS') answerPreflight(response);
    else if (path === '/estop') {
      response.setHeader('Allow', 'POST, OPTIONS');
      refuse(response, 405, 'method-not-allowed', 'only POST stops the robot', 'curl -X POST …/estop');
    } else refuse(response, 404, 'not-found', 'there is nothing here', 'POST /estop stops the robot');
  }
}

/** A page of any origin may stop. */
function answerPreflight(response: ServerResponse): void {
  response.writeHead(204, {
    'Access-Control-Allow-Methods': 'POST',
    'Access-Control-Allow-Headers': '*',
    'Access-Control-Allow-Private-Network': 'true',
    'Access-Control-Max-Age': '86400',
  });
  response.end();
}

function refuse(response: ServerResponse, status: number, code: string, message: string, remedy: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' });
  response.end(`${JSON.stringify({ ok: false, error: { code, message, remedy } })}\n`);
}
