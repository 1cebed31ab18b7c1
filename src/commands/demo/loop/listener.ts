import { connectAsync, type MqttClient } from 'mqtt';
import type { z } from 'zod';
import { EdgeError, messageOf } from '../../../errors.ts';
import { parsePayload } from '../../../messages/mqtt.ts';

/** Hears what robots and trainers publish of themselves. */
export class Listener {
  readonly #client: MqttClient;
  readonly #listeners = new Map<string, (payload: Buffer) => void>();

  private constructor(client: MqttClient) {
    this.#client = client;
    client.on('message', (on, payload) => this.#listeners.get(on)?.(payload));
    // MQTT.js throws errors that nobody listens to; it connects again by itself.
    client.on('error', () => {});
  }

  /** @throws EdgeError `notRunning` */
  static async connect(url: string): Promise<Listener> {
    try {
      // What does not answer at first is an error, and no reason to try again and again.
      const client = await connectAsync(url, { protocolVersion: 5, connectTimeout: 5000 }, false);
      return new Listener(client);
    } catch (error) {
      throw new EdgeError('notRunning', `the broker ${url} does not answer: ${messageOf(error)}`, 'check --broker');
    }
  }

  /** Told of each message on a topic, the retained one first; what is no such message is passed over. */
  on<S extends z.ZodType>(topic: string, schema: S, hear: (message: z.output<S>) => void): void {
    this.#listeners.set(topic, (payload) => {
      const parsed = parsePayload(schema, payload);
      if (parsed.ok) hear(parsed.message);
    });
    this.#client.subscribe(topic, { qos: 1 });
  }

  async say(topic: string, message: object): Promise<void> {
    await this.#client.publishAsync(topic, JSON.stringify(message), { qos: 1 });
  }

  close(): void {
    this.#client.end(true);
  }
}
