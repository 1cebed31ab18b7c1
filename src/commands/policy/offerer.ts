import { randomBytes } from 'node:crypto';
import { EdgeError } from '../../errors.ts';
import type { BrokerAccess } from '../../messages/broker-config.ts';
import { BulkConnection, type BulkMessage } from '../../messages/bulk/bulk-connection.ts';
import { CHUNK_BYTES, ChunkMap, chunksOf } from '../../messages/bulk/chunk-map.ts';
import { MQTT_SCHEMA, type PolicyOffer, parsePayload, policyStatus, policyWant, topic } from '../../messages/mqtt.ts';
import type { PolicyVersion } from '../../messages/policy-stages.ts';
import { crc32 } from '../../protocol/crc32.ts';

export interface OfferedBundle {
  readonly id: string;
  readonly version: number;
  readonly manifest: string;
  readonly signature: string;
  readonly model: Buffer;
  readonly sha256: string;
}

export interface OffererOptions {
  readonly access: BrokerAccess;
  readonly robot: string;
  readonly bundle: OfferedBundle;
  readonly onProgress: (progress: { readonly sent: number; readonly of: number; readonly stage: string }) => void;
  /** what the robot says of this version, at every change */
  readonly onVersion: (version: PolicyVersion) => void;
  readonly onProblem: (problem: string) => void;
}

/** The offer is said again so often while the robot says nothing of it [ms]. */
const REPEAT = 5000;
/** What fits into a packet of any broker that takes the offer at all. */
const ROOM = 1024;

/** Offers one bundle to one robot, and sends the chunks that it asks for. Whoever is asked anew begins anew: it holds no state. */
export class PolicyOfferer {
  readonly #options: OffererOptions;
  readonly #connection: BulkConnection;
  readonly #from = `push-${randomBytes(6).toString('hex')}`;
  #offer: PolicyOffer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #answered = false;
  /** of which question the chunks are being sent; another one ends it */
  #serving = 0;
  #sent = new Set<number>();

  constructor(options: OffererOptions) {
    const { access, robot } = options;
    this.#options = options;
    this.#connection = new BulkConnection({
      ...access,
      clientId: `h2o-${this.#from}`,
      subscriptions: [topic(robot, 'policyWant'), topic(robot, 'policyStatus')],
      onMessage: (message) => this.#receive(message),
      onConnected: () => void this.#say(),
      onLost: (problem) => options.onProblem(problem),
    });
  }

  start(): void {
    this.#connection.start();
    this.#timer = setInterval(() => {
      if (!this.#answered) void this.#say();
    }, REPEAT);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#serving += 1;
    await this.#connection.stop();
  }

  async #say(): Promise<void> {
    const { robot, bundle, onProblem } = this.#options;
    const chunkBytes = Math.min(CHUNK_BYTES, Math.max(1024, this.#connection.longestPayload - ROOM));
    this.#offer = {
      schema: MQTT_SCHEMA,
      from: this.#from,
      id: bundle.id,
      version: bundle.version,
      manifest: bundle.manifest,
      signature: bundle.signature,
      model: { sha256: bundle.sha256, bytes: bundle.model.length },
      chunkBytes,
      chunks: chunksOf(bundle.model.length, chunkBytes),
    };
    const published = await this.#connection.publish(topic(robot, 'policyOffer'), JSON.stringify(this.#offer));
    if (published === 'too-long') onProblem('the manifest is longer than this broker takes');
    if (published === 'refused') onProblem('the broker does not let us offer policies to this robot');
  }

  #receive({ topic: on, payload }: BulkMessage): void {
    const { robot, bundle, onVersion } = this.#options;
    if (on === topic(robot, 'policyStatus')) {
      const parsed = parsePayload(policyStatus, payload);
      if (!parsed.ok) return;
      const mine = parsed.message.versions.filter(
        ({ id, version, sha256 }) => id === bundle.id && version === bundle.version && sha256 === bundle.sha256,
      );
      // One that control knows, and then what the gateway says of this very offer.
      const told = mine.find(({ from }) => from === this.#from) ?? mine[0];
      if (told) onVersion(told);
      return;
    }
    const parsed = parsePayload(policyWant, payload);
    if (!parsed.ok || parsed.message.to !== this.#from || parsed.message.sha256 !== bundle.sha256) return;
    this.#answered = true;
    void this.#serve(parsed.message.have);
  }

  async #serve(bitmap: string): Promise<void> {
    const { robot, bundle, onProgress } = this.#options;
    const offer = this.#offer;
    const have = offer && ChunkMap.parse(bitmap, offer.chunks)?.toArray();
    if (!offer || !have) return;
    this.#serving += 1;
    const serving = this.#serving;
    this.#sent = new Set(have.flatMap((there, n) => (there ? [n] : [])));
    const missing = have.flatMap((there, n) => (there ? [] : [n]));
    // The broker's word for one before the next but a few: no more than its window waits.
    const send = async (): Promise<void> => {
      for (let n = missing.shift(); n !== undefined && serving === this.#serving; n = missing.shift()) {
        const bytes = bundle.model.subarray(n * offer.chunkBytes, (n + 1) * offer.chunkBytes);
        const crc = crc32(bytes).toString(16).padStart(8, '0');
        const properties = { sha256: bundle.sha256, n: String(n), crc32: crc };
        const published = await this.#connection.publish(topic(robot, 'policyChunk'), bytes, { properties });
        // The robot asks again for what it lacks.
        if (published !== 'taken' || serving !== this.#serving) return;
        this.#sent.add(n);
        onProgress({ sent: this.#sent.size, of: offer.chunks, stage: 'sending' });
      }
    };
    await Promise.all(Array.from({ length: this.#connection.window }, send));
  }
}

/** @throws EdgeError `noAnswer` */
export const notTaken = (robot: string, problem: string) =>
  new EdgeError(
    'noAnswer',
    `${robot} did not take the policy: ${problem}`,
    'see `policy/status` and the robot; push again goes on',
  );
