import { lookup as systemLookup } from 'node:dns';
import { connect, type LookupFunction, type Socket, type TcpNetConnectOpts } from 'node:net';
import { createSecureContext, type SecureContext, connect as tlsConnect } from 'node:tls';
import { EdgeError, messageOf } from '../../../errors.ts';
import { LEAST_TLS } from '../../../messages/broker-config.ts';
import { brokerTrouble } from '../../../messages/broker-trouble.ts';

export interface BrokerAddress {
  /** `mqtt://host:1883` or `mqtts://host:8883` */
  readonly url: string;
  /** PEM; what is trusted instead of the system's authorities */
  readonly ca?: string | Buffer;
  /** PEM; who this robot is, where the broker wants to know */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}

/** Bytes that one turn of the event loop looks at. */
export const BYTES_PER_TURN = 1024;

/** Opens sockets to one broker. Made once, before the robot runs: reading certificates takes milliseconds. */
export class BrokerSockets {
  readonly #address: BrokerAddress;
  readonly #host: string;
  readonly #port: number;
  readonly #secure: SecureContext | undefined;
  readonly #lookup = singleLookup();

  /** @throws EdgeError `configInvalid` */
  constructor(address: BrokerAddress) {
    const { url, ca, cert, key } = address;
    this.#address = address;
    const parsed = parse(url);
    const scheme = parsed?.protocol ?? '';
    const secure = ['mqtts:', 'ssl:', 'tls:'].includes(scheme);
    if (!parsed?.hostname || !(secure || ['mqtt:', 'tcp:'].includes(scheme))) {
      throw new EdgeError(
        'configInvalid',
        `"${url}" is no address of an MQTT broker`,
        'write mqtt://host:1883, or mqtts://host:8883 for TLS; the emergency stop does not use WebSocket',
      );
    }
    this.#host = parsed.hostname.replace(/^\[|\]$/g, '');
    this.#port = Number(parsed.port || (secure ? 8883 : 1883));
    try {
      this.#secure = secure
        ? createSecureContext({ ...LEAST_TLS, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) })
        : undefined;
    } catch (error) {
      throw new EdgeError(
        'configInvalid',
        `TLS to ${url}: ${messageOf(error)}`,
        'check ca, cert and key of the broker',
      );
    }
  }

  /** Why a connection failed, in words. */
  problemOf(error: unknown): string {
    return brokerTrouble(error, this.#address).problem;
  }

  /**
   * Begins to connect. What arrives is read into one buffer of `BYTES_PER_TURN` and given to `read`; the socket then
   * pauses until it is told to `resume`.
   */
  open(read: (bytes: Uint8Array) => void): { socket: Socket; connectedEvent: 'connect' | 'secureConnect' } {
    const onread = {
      buffer: Buffer.allocUnsafe(BYTES_PER_TURN),
      callback: (count: number, buffer: Uint8Array) => {
        read(buffer.subarray(0, count));
        return false;
      },
    };
    const options: TcpNetConnectOpts = {
      host: this.#host,
      port: this.#port,
      noDelay: true,
      lookup: this.#lookup,
      onread,
    };
    if (this.#secure === undefined) return { socket: connect(options), connectedEvent: 'connect' };
    const secured = { ...options, secureContext: this.#secure, servername: isIp(this.#host) ? '' : this.#host };
    return { socket: tlsConnect(secured), connectedEvent: 'secureConnect' };
  }
}

const isIp = (host: string) => /^[\d.]+$/.test(host) || host.includes(':');

function parse(url: string): URL | undefined {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}

/**
 * Names are looked up in libuv's pool, which the serial port needs too. A name server that does not answer holds a thread
 * for many seconds: so there is never more than one lookup, and later ones wait for its answer.
 */
function singleLookup(): LookupFunction {
  type Answer = Parameters<LookupFunction>[2];
  let waiting: Answer[] | undefined;
  return (hostname, options, callback) => {
    if (waiting !== undefined) {
      // Connections that have given up meanwhile only wait for a callback that nobody needs: keep the latest few.
      waiting = [...waiting.slice(-3), callback];
      return;
    }
    waiting = [callback];
    systemLookup(hostname, options, (error, address, family) => {
      const answers = waiting ?? [];
      waiting = undefined;
      for (const answer of answers) answer(error, address, family);
    });
  };
}
