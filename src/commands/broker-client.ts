import type { KeyObject } from 'node:crypto';
import { randomBytes, randomUUID } from 'node:crypto';
import { type IClientPublishOptions, type MqttClient, connect as mqttConnect } from 'mqtt';
import { EdgeError } from '../errors.ts';
import { signCommand } from '../keys/command.ts';
import { type BrokerAccess, LEAST_TLS } from '../messages/broker-config.ts';
import { brokerTrouble } from '../messages/broker-trouble.ts';
import {
  type CommandResponse,
  commandResponse,
  type EventMessage,
  estopStageEvent,
  eventMessage,
  parsePayload,
  type StateMessage,
  stateMessage,
  type TelemetryMessage,
  type TopicName,
  telemetryMessage,
  topic,
} from '../messages/mqtt.ts';
import type { Command, EstopStage } from '../messages/requests.ts';
import type { Status } from '../messages/status.ts';

export interface BrokerClientOptions extends BrokerAccess {
  /** name of the robot that is meant */
  readonly robot: string;
  /** how long the broker may take to answer at the start [ms] */
  readonly patience?: number;
}

/** How long an answer may take before the robot counts as unreachable [ms]. */
const ANSWER_TIMEOUT = 5000;
/** How long a retained state may take after subscribing; a robot that was never there has none [ms]. */
const STATE_TIMEOUT = 1000;
/** The broker throws a request away that it could not deliver by then [s]. */
const REQUEST_EXPIRY = 5;

/** The operator's side of MQTT, with the methods of `ControlClient`. */
export class BrokerClient {
  readonly #client: MqttClient;
  readonly #robot: string;
  /** answers to this client alone */
  readonly #responseTopic: string;
  readonly #waiting = new Map<string, (response: CommandResponse) => void>();
  readonly #stateWaiters = new Set<() => void>();
  readonly #eventListeners = new Set<(event: EventMessage) => void>();
  readonly #stateListeners = new Set<(state: StateMessage) => void>();
  #onState: (state: StateMessage) => void = () => {};
  #onTelemetry: (telemetry: TelemetryMessage) => void = () => {};
  #state: StateMessage | undefined;

  private constructor(client: MqttClient, robot: string, clientId: string) {
    this.#client = client;
    this.#robot = robot;
    this.#responseTopic = `${topic(robot, 'response')}/${clientId}`;
    client.on('message', (on, payload, packet) => this.#receive(on, payload, packet.properties?.correlationData));
  }

  /** @throws EdgeError `notRunning` when the broker does not answer, `usage` when that is no name of a robot */
  static async connect(options: BrokerClientOptions): Promise<BrokerClient> {
    const { url, robot, username, password, ca, cert, key, patience = 5000 } = options;
    topic(robot, 'state');
    const clientId = `h2o-client-${randomBytes(6).toString('hex')}`;
    let client: MqttClient | undefined;
    try {
      client = mqttConnect(url, {
        protocolVersion: 5,
        clientId,
        clean: true,
        keepalive: 10,
        connectTimeout: patience,
        // Subscriptions are made anew by MQTT.js. What is not delivered in time is of no use later.
        reconnectPeriod: 1000,
        queueQoSZero: false,
        properties: { receiveMaximum: 64, maximumPacketSize: 1 << 20 },
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password }),
        ...(ca !== undefined && { ca }),
        ...(cert !== undefined && { cert }),
        ...(key !== undefined && { key }),
        ...LEAST_TLS,
      });
      const self = new BrokerClient(client, robot, clientId);
      await self.#begin(patience);
      return self;
    } catch (error) {
      client?.end(true);
      const { problem, remedy } = brokerTrouble(error, options);
      throw new EdgeError(
        'notRunning',
        `the broker ${url} does not answer: ${problem}`,
        `${remedy}; to stop the robot now, cut its power`,
        { cause: error },
      );
    }
  }

  close(): void {
    this.#client.end(true);
  }

  /** The latest state that the robot has published, if any has come. */
  get state(): StateMessage | undefined {
    return this.#state;
  }

  /** All that control knows. @throws EdgeError `notRunning`, `noAnswer`, `requestRefused` */
  async status(): Promise<Status> {
    const response = await this.#request('command', { request: 'status' });
    if (!response.status) throw noAnswer('status');
    return response.status;
  }

  /** @throws EdgeError `notRunning`, `noAnswer`, `requestRefused` */
  async disarm(): Promise<void> {
    await this.#request('command', { request: 'disarm' });
  }

  /**
   * Asks for a challenge, signs the command over it and sends it.
   * @throws EdgeError `notRunning`, `noAnswer`, `requestRefused` with the robot's own words
   */
  async command(command: Command, key: KeyObject): Promise<void> {
    const { challenge } = await this.#request('challenge', {});
    if (challenge === undefined) throw noAnswer('challenge');
    // The robot that the operator named, not the one that the answer names: whoever answers must not choose.
    const envelope = signCommand({ robot: this.#robot, challenge, counter: Date.now(), command }, key);
    await this.#request('command', { envelope });
  }

  /**
   * Stops the robot. Works also when the robot's gateway is dead. Where the broker lets us hear no events, what the robot
   * is from then on is as good an answer: a state that says so after the broker has taken the stop.
   * @param reached told of each stage as it comes
   * @param patience how long to wait for the motor controller's own word [ms]; states come every 2 s
   * @returns the stages that were reached, and whether the latch is on disk
   * @throws EdgeError `requestRefused` when the broker does not let us stop
   */
  async estop(
    source: string,
    reached: (stage: EstopStage) => void = () => {},
    patience = 2500,
  ): Promise<{ stages: EstopStage[]; onDisk: boolean }> {
    const stages: EstopStage[] = [];
    let onDisk = false;
    const id = randomUUID();
    await new Promise<void>((resolve, reject) => {
      const finish = () => {
        clearTimeout(timer);
        this.#eventListeners.delete(listener);
        this.#stateListeners.delete(stateListener);
        resolve();
      };
      const timer = setTimeout(finish, patience);
      const reach = (stage: EstopStage) => {
        if (stages.includes(stage)) return;
        stages.push(stage);
        reached(stage);
      };
      let eventsAreHeard = false;
      const stateListener = (state: StateMessage) => {
        if (eventsAreHeard || !state.online || !state.estop.latched || state.mcu.state !== 'estopped') return;
        reach('confirmed');
        if (!state.estop.onDisk) return;
        onDisk = true;
        reach('latched');
        finish();
      };
      const listener = (event: EventMessage) => {
        const parsed = estopStageEvent.safeParse(event);
        // Only what answers this very stop counts: another's may be old.
        if (!parsed.success || !parsed.data.ids.includes(id)) return;
        eventsAreHeard = true;
        onDisk ||= parsed.data.onDisk === true;
        reach(parsed.data.stage);
        if (stages.length === 3) finish();
      };
      this.#eventListeners.add(listener);
      // No expiry: a stop that comes late is still a stop.
      const message = JSON.stringify({ source: source.slice(0, 64), id });
      this.#client.publish(topic(this.#robot, 'estop'), message, { qos: 1 }, (error) => {
        if (!error) this.#stateListeners.add(stateListener);
        else if (isForbidden(error)) {
          reject(forbidden('estop', 'use a certificate that may, or cut the power of the motors now'));
          finish();
        }
      });
    });
    return { stages, onDisk };
  }

  /** The operator is still there. It gets no answer. */
  heartbeat(session: string, counter: number): void {
    this.#publish(topic(this.#robot, 'heartbeat'), JSON.stringify({ session, counter }), {
      qos: 0,
      properties: { messageExpiryInterval: 1 },
    });
  }

  /** From now on these are told of what the robot publishes; of the state that is already known at once. */
  async watch(
    onState: (state: StateMessage) => void,
    onTelemetry: (telemetry: TelemetryMessage) => void = () => {},
    onEvent: (event: EventMessage) => void = () => {},
  ): Promise<void> {
    this.#onState = onState;
    this.#onTelemetry = onTelemetry;
    this.#eventListeners.add(onEvent);
    if (this.#state) onState(this.#state);
    await this.#client.subscribeAsync(topic(this.#robot, 'telemetry'), { qos: 0 });
  }

  async #begin(patience: number): Promise<void> {
    const client = this.#client;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer within ${patience} ms`)), patience);
      const fail = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
      client.once('error', fail);
      client.once('close', () => fail(new Error('the connection was closed')));
      client.once('connect', () => {
        clearTimeout(timer);
        resolve();
      });
    });
    client.removeAllListeners('error');
    client.removeAllListeners('close');
    // MQTT.js throws errors that nobody listens to; it connects again by itself.
    client.on('error', () => {});
    await client.subscribeAsync(topic(this.#robot, 'state'), { qos: 1 });
    // Whoever may only stop may not hear these, and must be able to stop all the same. A broker that says so is believed
    // when an answer is wanted and does not come.
    const rest = [this.#responseTopic, topic(this.#robot, 'event')];
    await Promise.all(rest.map((on) => client.subscribeAsync(on, { qos: 1 }).catch(() => {})));
  }

  /** @throws EdgeError `notRunning` when the robot says, or its last will says, that it is offline */
  async #requireOnline(): Promise<void> {
    if (this.#state === undefined) {
      await new Promise<void>((resolve) => {
        const finish = () => {
          clearTimeout(timer);
          this.#stateWaiters.delete(finish);
          resolve();
        };
        const timer = setTimeout(finish, STATE_TIMEOUT);
        this.#stateWaiters.add(finish);
      });
    }
    if (this.#state?.online === true) return;
    const why = this.#state === undefined ? 'it has never published its state here' : this.#state.problem;
    throw new EdgeError(
      'notRunning',
      `${this.#robot} is offline: ${why}`,
      'check the name and the robot; the emergency stop may still reach it, else cut its power',
    );
  }

  async #request(
    on: 'challenge' | 'command',
    body: Record<string, unknown>,
  ): Promise<Extract<CommandResponse, { ok: true }>> {
    await this.#requireOnline();
    const id = randomUUID();
    const response = await new Promise<CommandResponse | undefined>((resolve, reject) => {
      const timer = setTimeout(() => resolve(undefined), ANSWER_TIMEOUT);
      this.#waiting.set(id, (received) => {
        clearTimeout(timer);
        resolve(received);
      });
      const properties = {
        responseTopic: this.#responseTopic,
        correlationData: Buffer.from(id),
        messageExpiryInterval: REQUEST_EXPIRY,
      };
      this.#client.publish(topic(this.#robot, on), JSON.stringify({ id, ...body }), { qos: 1, properties }, (error) => {
        if (!isForbidden(error)) return;
        clearTimeout(timer);
        this.#waiting.delete(id);
        reject(
          forbidden(on, "show an operator's certificate: `--cert-file`; stopping may need none: `h2o-edge estop`"),
        );
      });
    });
    this.#waiting.delete(id);
    if (response === undefined) throw noAnswer(typeof body.request === 'string' ? body.request : on);
    if (!response.ok) {
      const { code, message, remedy } = response.refusal;
      throw new EdgeError('requestRefused', `${message} (${code})`, remedy);
    }
    return response;
  }

  /** Whether it arrives is seen from the answer. */
  #publish(on: string, payload: string, options: IClientPublishOptions): void {
    this.#client.publish(on, payload, options, () => {});
  }

  #receive(on: string, payload: Buffer, correlationData: Buffer | undefined): void {
    switch (on) {
      case this.#responseTopic: {
        const parsed = parsePayload(commandResponse, payload);
        if (parsed.ok) this.#waiting.get(correlationData?.toString() ?? String(parsed.message.id))?.(parsed.message);
        break;
      }
      case topic(this.#robot, 'state'): {
        const parsed = parsePayload(stateMessage, payload);
        if (!parsed.ok) break;
        this.#state = parsed.message;
        for (const settle of this.#stateWaiters) settle();
        this.#onState(parsed.message);
        for (const listener of [...this.#stateListeners]) listener(parsed.message);
        break;
      }
      case topic(this.#robot, 'event'): {
        const parsed = parsePayload(eventMessage, payload);
        if (parsed.ok) for (const listener of [...this.#eventListeners]) listener(parsed.message);
        break;
      }
      case topic(this.#robot, 'telemetry'): {
        const parsed = parsePayload(telemetryMessage, payload);
        if (parsed.ok) this.#onTelemetry(parsed.message);
        break;
      }
      default:
        break;
    }
  }
}

/** MQTT 5 §3.4.2.1: not authorized. */
const isForbidden = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 0x87;

const forbidden = (on: TopicName, remedy: string) =>
  new EdgeError('requestRefused', `the broker does not let us publish on "${on}" of this robot`, remedy);

const noAnswer = (request: string) =>
  new EdgeError('noAnswer', `the robot did not answer "${request}"`, 'try again; `h2o-edge estop` if in doubt');
