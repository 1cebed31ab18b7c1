import { randomUUID } from 'node:crypto';
import { connectAsync, type IClientPublishOptions, type MqttClient } from 'mqtt';
import { onTestFinished } from 'vitest';
import {
  type CommandResponse,
  commandResponse,
  parsePayload,
  type StateMessage,
  stateMessage,
} from '../../src/messages/mqtt.ts';
import { until } from '../harness.ts';

/** Something that was published below the robot's tree. */
export interface Heard {
  /** what follows `h2o/v1/{robot}/` */
  readonly on: string;
  readonly payload: Buffer;
  readonly retain: boolean;
  /** correlation data of a response */
  readonly correlation: string | undefined;
}

/** A bystander on the broker, who hears all that is said of and to one robot, and may say anything at all. */
export class Listener {
  readonly heard: Heard[] = [];
  readonly client: MqttClient;
  readonly #base: string;

  private constructor(client: MqttClient, base: string) {
    this.client = client;
    this.#base = base;
    client.on('message', (topic, payload, { retain, properties }) => {
      const correlation = properties?.correlationData?.toString();
      this.heard.push({ on: topic.slice(base.length), payload, retain, correlation });
    });
  }

  static async to(broker: { readonly url: string }, robot = 'test-robot'): Promise<Listener> {
    const client = await connectAsync(broker.url, { protocolVersion: 5, reconnectPeriod: 100 });
    client.on('error', () => {});
    onTestFinished(() => void client.end(true));
    const base = `h2o/v1/${robot}/`;
    const listener = new Listener(client, base);
    await client.subscribeAsync(`${base}#`, { qos: 1 });
    return listener;
  }

  /** States in the order in which they came. */
  get states(): StateMessage[] {
    return this.#on('state').flatMap(({ payload }) => {
      const parsed = parsePayload(stateMessage, payload);
      return parsed.ok ? [parsed.message] : [];
    });
  }

  /** Events of that name. */
  events(name: string): Array<Record<string, unknown>> {
    return this.#on('event')
      .map(({ payload }): Record<string, unknown> => JSON.parse(payload.toString()))
      .filter(({ event }) => event === name);
  }

  state(what: string, isSo: (state: StateMessage) => boolean): Promise<StateMessage> {
    return until(`a state: ${what}`, () => {
      const latest = this.states.at(-1);
      return latest && isSo(latest) && latest;
    });
  }

  event(name: string, isSo: (event: Record<string, unknown>) => boolean = () => true) {
    return until(`an event: ${name}`, () => this.events(name).find(isSo));
  }

  async say(on: string, payload: string | Buffer, options: IClientPublishOptions = {}): Promise<void> {
    await this.client.publishAsync(this.#base + on, payload, options);
  }

  /** Publishes a request as any program may, and waits for the answer to it. */
  async ask(on: 'challenge' | 'command', body: object, options: IClientPublishOptions = {}): Promise<CommandResponse> {
    const correlation = randomUUID();
    await this.say(on, JSON.stringify(body), {
      ...options,
      properties: { correlationData: Buffer.from(correlation) },
    });
    const answer = await until(`an answer on ${on}`, () =>
      this.#on('command/response').find((heard) => heard.correlation === correlation),
    );
    return commandResponse.parse(JSON.parse(answer.payload.toString()));
  }

  #on(topic: string): Heard[] {
    return this.heard.filter(({ on }) => on === topic);
  }
}
