import type { Socket } from 'node:net';
import type { IConnackPacket, IDisconnectPacket, Packet } from 'mqtt-packet';
import { messageOf } from '../../../errors.ts';
import type { BrokerSockets } from './broker-socket.ts';
import type { Clock } from './clock.ts';
import { encodePacket } from './mqtt-encode.ts';
import { PacketReader, type Publication } from './mqtt-reader.ts';

/** One connection's life, as its owner is told of it. */
export interface ConnectionListener {
  /** a message on the topic; called in the turn of the event loop in which its bytes were read */
  message(publication: Publication): void;
  /** all that was read in this turn has been delivered */
  turnEnds(bytes: number): void;
  /** the broker has granted the subscription */
  up(limits: BrokerLimits): void;
  /** a published packet was taken over, or refused, by the broker */
  acknowledged(messageId: number, refusal: string): void;
  /** the end, once */
  down(reason: string, takenOver: boolean): void;
}

/** What the broker said of itself at the start. */
export interface BrokerLimits {
  readonly qos: 0 | 1;
  /** packets that may wait for an acknowledgement */
  readonly inFlight: number;
  /** longest packet [bytes] */
  readonly packet: number;
}

export interface ConnectionParts {
  readonly sockets: Pick<BrokerSockets, 'open' | 'problemOf'>;
  readonly clock: Clock;
  readonly clientId: string;
  readonly topic: string;
  readonly username?: string;
  readonly password?: string;
}

/** From the first byte of the TCP handshake to the granted subscription [ms]. */
const SETUP_TIMEOUT = 5000;
/** The broker forgets this client after one and a half times this [s]. */
const KEEPALIVE = 5;
/** Bytes that may wait to be written; a broker that does not read any more is no broker. */
const WRITE_LIMIT = 16 * 1024;
/** Between two turns of reading [ms]: a flood gets one kilobyte a millisecond and the rest of the time is the robot's. */
const TURN_PAUSE = 1;
/** MQTT 5 §3.14.2.1 */
const SESSION_TAKEN_OVER = 0x8e;

const PING = encodePacket({ cmd: 'pingreq' });

/**
 * One MQTT 5 connection that subscribes to one topic, answers, pings, and ends at the first thing that is wrong. Never
 * throws; whatever happens ends in `down`.
 */
export class EstopConnection {
  readonly #parts: ConnectionParts;
  readonly #listener: ConnectionListener;
  readonly #reader: PacketReader;
  #socket: Socket | undefined;
  #ended = false;
  #stopSetup: () => void = () => {};
  #stopPing: () => void = () => {};
  #stopPause: () => void = () => {};
  /** something came since the latest ping */
  #alive = true;
  #limits: BrokerLimits = { qos: 1, inFlight: 1, packet: 1024 };
  #pingInterval = (KEEPALIVE * 1000) / 2;
  #subscribed = false;
  /** the turn's kilobyte has been looked at */
  #paused = false;
  readonly #backlog: Uint8Array[] = [];

  constructor(parts: ConnectionParts, listener: ConnectionListener) {
    this.#parts = parts;
    this.#listener = listener;
    this.#reader = new PacketReader({
      published: (publication) => this.#published(publication),
      received: (packet) => this.#received(packet),
    });
  }

  open(): void {
    const { sockets, clock } = this.#parts;
    this.#stopSetup = clock.after(SETUP_TIMEOUT, () =>
      this.end(`no subscription within ${SETUP_TIMEOUT} ms of connecting`),
    );
    try {
      const { socket, connectedEvent } = sockets.open((bytes) => this.#read(bytes));
      this.#socket = socket;
      socket.on('error', (error) => this.end(sockets.problemOf(error)));
      socket.on('end', () =>
        this.end(`the broker closed the connection${this.#subscribed ? '' : ' before it let us in'}`),
      );
      socket.on('close', () => this.end('the connection was closed'));
      socket.once(connectedEvent, () => this.#greet());
    } catch (error) {
      this.end(messageOf(error));
    }
  }

  /** Ends the connection; the listener hears of it once. */
  end(reason: string, takenOver = false): void {
    if (this.#ended) return;
    // What has been deciphered counts, also when the broker has gone since: a stop may be in it.
    for (const bytes of this.#backlog.splice(0)) {
      this.#reader.push(bytes);
      this.#listener.turnEnds(bytes.length);
    }
    if (this.#ended) return;
    this.#ended = true;
    this.#stopSetup();
    this.#stopPing();
    this.#stopPause();
    this.#socket?.destroy();
    this.#listener.down(reason, takenOver);
  }

  /** Says goodbye, so that the broker does not wait for this client, and ends. */
  close(): void {
    if (this.#subscribed) this.#write({ cmd: 'disconnect', reasonCode: 0 });
    this.#socket?.end();
    const socket = this.#socket;
    this.#socket = undefined;
    this.end('closed');
    // What was written must get out, but a broker that does not take it must not keep the process.
    const stop = this.#parts.clock.after(500, () => socket?.destroy());
    socket?.once('close', stop);
  }

  /** @returns whether it went out */
  publish(topic: string, payload: string, messageId: number): boolean {
    if (!this.#subscribed) return false;
    const { qos } = this.#limits;
    return this.#write({
      cmd: 'publish',
      topic,
      payload,
      qos,
      dup: false,
      retain: false,
      ...(qos > 0 && { messageId }),
      properties: { contentType: 'application/json' },
    });
  }

  #greet(): void {
    const { clientId, username, password } = this.#parts;
    this.#write({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 5,
      clean: true,
      clientId,
      keepalive: KEEPALIVE,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password: Buffer.from(password) }),
      // No maximum packet size: a broker would withhold a stop that is longer.
      properties: { receiveMaximum: 8 },
    });
  }

  #read(bytes: Uint8Array): void {
    if (this.#ended) return;
    this.#alive = true;
    // TLS hands out all that it has deciphered, paused or not: 64 kB at a time. The rest waits here, a copy.
    if (this.#paused) this.#backlog.push(Uint8Array.from(bytes));
    else this.#look(bytes);
  }

  #goOn(): void {
    this.#paused = false;
    const next = this.#backlog.shift();
    if (next) this.#look(next);
    else this.#socket?.resume();
  }

  #look(bytes: Uint8Array): void {
    this.#paused = true;
    const problem = this.#reader.push(bytes);
    this.#listener.turnEnds(bytes.length);
    if (problem !== undefined) {
      this.end(`the broker does not speak MQTT 5: ${problem}`);
      return;
    }
    if (!this.#ended) this.#stopPause = this.#parts.clock.after(TURN_PAUSE, () => this.#goOn());
  }

  #published(publication: Publication): void {
    if (this.#ended) return;
    // First the stop, then the manners.
    this.#listener.message(publication);
    if (publication.qos === 1) this.#write({ cmd: 'puback', messageId: publication.messageId, reasonCode: 0 });
    if (publication.qos === 2) this.end('the broker sent a message at QoS 2, which was not subscribed');
  }

  #received(packet: Packet): void {
    if (this.#ended) return;
    switch (packet.cmd) {
      case 'connack':
        this.#welcomed(packet);
        break;
      case 'suback': {
        const [granted] = packet.granted;
        if (typeof granted !== 'number' || granted >= 0x80) this.end(`subscription refused (${String(granted)})`);
        else this.#up();
        break;
      }
      case 'puback': {
        const code = packet.reasonCode ?? 0;
        this.#listener.acknowledged(packet.messageId ?? 0, code >= 0x80 ? `refused (${code})` : '');
        break;
      }
      case 'disconnect':
        this.#dismissed(packet);
        break;
      case 'pingresp':
        break;
      default:
        this.end(`the broker sent "${packet.cmd}", which is not for clients`);
    }
  }

  #welcomed({ reasonCode = 0, properties = {} }: IConnackPacket): void {
    if (reasonCode !== 0) {
      const says = properties.reasonString === undefined ? '' : `: ${properties.reasonString}`;
      this.end(`the broker refuses the connection (${reasonCode})${says}`);
      return;
    }
    this.#limits = {
      qos: properties.maximumQoS === 0 ? 0 : 1,
      inFlight: Math.min(4, properties.receiveMaximum ?? 4),
      packet: properties.maximumPacketSize ?? 64 * 1024,
    };
    // MQTT 5 §3.2.2.3.14: the server's keep alive replaces the client's. Zero turns it off, for the server only.
    const keepalive = Math.min(properties.serverKeepAlive || KEEPALIVE, KEEPALIVE);
    this.#pingInterval = (keepalive * 1000) / 2;
    this.#ping();
    this.#write({
      cmd: 'subscribe',
      messageId: 1,
      // rap: the retain flag as it was published, or a clearing would look like an empty stop. rh 0: retained stops too.
      subscriptions: [{ topic: this.#parts.topic, qos: 1, nl: false, rap: true, rh: 0 }],
    });
  }

  #up(): void {
    if (this.#subscribed) return;
    this.#subscribed = true;
    this.#stopSetup();
    this.#listener.up(this.#limits);
  }

  #dismissed({ reasonCode = 0, properties }: IDisconnectPacket): void {
    const says = properties?.reasonString === undefined ? '' : `: ${properties.reasonString}`;
    this.end(`the broker ended the connection (${reasonCode})${says}`, reasonCode === SESSION_TAKEN_OVER);
  }

  /** Twice per keepalive; whoever is silent for one interval is dead. */
  #ping(): void {
    this.#alive = false;
    this.#writeBytes(PING);
    this.#stopPing = this.#parts.clock.after(this.#pingInterval, () => {
      if (this.#alive) this.#ping();
      else this.end(`the broker was silent for ${this.#pingInterval} ms after a ping`);
    });
  }

  #write(packet: Packet): boolean {
    try {
      return this.#writeBytes(encodePacket(packet));
    } catch (error) {
      this.end(messageOf(error));
      return false;
    }
  }

  #writeBytes(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return false;
    if (socket.writableLength > WRITE_LIMIT) {
      this.end('the broker does not read what it is sent');
      return false;
    }
    socket.write(bytes);
    return true;
  }
}
