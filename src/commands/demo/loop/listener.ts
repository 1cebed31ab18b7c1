import { connectAsync, type MqttClient } from 'mqtt';
import type { z } from 'zod';
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

  static async connect(url: string): Promise<Listener> {
    return new Listener(await connectAsync(url, { protocolVersion: 5, connectTimeout: 5000, reconnectPeriod: 1000 }));
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
