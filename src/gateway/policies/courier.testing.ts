import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ChunkMap } from '../../messages/bulk/chunk-map.ts';
import type { PolicyOffer, PolicyStatus, PolicyWant } from '../../messages/mqtt-policy.ts';
import type { Answer } from '../../messages/requests.ts';
import { statusOf } from '../../messages/status.testing.ts';
import type { Status } from '../../messages/status.ts';
import { sha256 } from '../../policy/bundle.ts';
import { crc32 } from '../../protocol/crc32.ts';
import { type Disk, realDisk } from '../../recording/disk.ts';
import { Incoming } from './incoming.ts';
import { PolicyCourier } from './policy-courier.ts';

const CHUNK = 1024;

/** A model of so many chunks, the last one short, and its offer. */
export function offered(chunks: number, { id = 'a-policy', version = 2, filling = 7 } = {}) {
  const model = Buffer.alloc(chunks * CHUNK - 24);
  for (let at = 0; at < model.length; at++) model[at] = (at * filling + (at >> 8)) & 0xff;
  const offer: PolicyOffer = {
    schema: 1,
    from: 'lab',
    id,
    version,
    manifest: JSON.stringify({ id, version, sha256: sha256(model) }),
    signature: '{"keyId":"","signature":""}',
    model: { sha256: sha256(model), bytes: model.length },
    chunkBytes: CHUNK,
    chunks,
  };
  const chunk = (n: number) => model.subarray(n * CHUNK, (n + 1) * CHUNK);
  return { offer, model, chunk };
}

export type Offered = ReturnType<typeof offered>;
type Version = Status['policies'][number];

/** A courier with a real folder, and a control, a broker and a clock that a test moves. */
export class CourierRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'h2o-courier-'));
  readonly wants: PolicyWant[] = [];
  readonly statuses: PolicyStatus[] = [];
  readonly vetted: string[] = [];
  known: Version[] = [];
  /** what speaks against any offer */
  reasons: string[] = [];
  answer: Answer = { id: 1, ok: true };
  now = 0;
  courier: PolicyCourier;
  readonly #disk: Disk;

  constructor(disk: Disk = realDisk) {
    this.#disk = disk;
    onTestFinished(() => rmSync(this.folder, { recursive: true, force: true }));
    this.courier = this.#make();
  }

  get directory(): string {
    return join(this.folder, 'incoming');
  }

  async start(): Promise<void> {
    await this.courier.start();
    this.courier.connected(true);
    this.control();
  }

  /** The process is gone without a word, and another one comes. */
  async restart(): Promise<void> {
    // What it had given to the disk may still arrive there.
    await this.courier.stop();
    this.courier = this.#make();
    await this.start();
  }

  /** Control says what it knows. */
  control(known: readonly Version[] = this.known): void {
    this.known = [...known];
    this.courier.status({ ...statusOf(), policies: this.known });
  }

  async offer({ offer }: Offered): Promise<void> {
    this.courier.offer(Buffer.from(JSON.stringify(offer)));
    await this.courier.idle();
  }

  async chunk({ offer }: Offered, n: number, bytes: Buffer, over: Record<string, string> = {}): Promise<void> {
    const crc = crc32(bytes).toString(16).padStart(8, '0');
    this.courier.chunk(bytes, { sha256: offer.model.sha256, n: String(n), crc32: crc, ...over }, false);
    await this.courier.idle();
  }

  /** Sends what the last question lacks, in that order. */
  async serve(what: Offered, order: (missing: number[]) => number[] = (missing) => missing): Promise<void> {
    const have = ChunkMap.parse(this.wants.at(-1)?.have ?? '', what.offer.chunks)?.toArray() ?? [];
    const missing = have.flatMap((there, n) => (there ? [] : [n]));
    for (const n of order(missing)) await this.chunk(what, n, what.chunk(n));
  }

  async pass(milliseconds: number): Promise<void> {
    this.now += milliseconds;
    this.courier.tick();
    await this.courier.idle();
  }

  /** What the broker keeps of one version. */
  told({ offer }: Offered): PolicyStatus['versions'][number] | undefined {
    return this.statuses.at(-1)?.versions.find(({ id, version }) => id === offer.id && version === offer.version);
  }

  #make(): PolicyCourier {
    return new PolicyCourier({
      incoming: new Incoming(this.directory, this.#disk),
      check: () => this.reasons,
      vet: (folder) => {
        this.vetted.push(folder);
        return Promise.resolve(this.answer);
      },
      want: (want) => this.wants.push(want),
      publish: (status) => this.statuses.push(status),
      onEvent: () => {},
      now: () => this.now,
      wall: () => 1_000_000 + this.now,
    });
  }
}

/** A version as control tells of it. */
export const versionOf = ({ offer }: Offered, over: Partial<Version> = {}): Version => ({
  id: offer.id,
  version: offer.version,
  sha256: offer.model.sha256,
  stage: 'verified',
  reasons: [],
  since: 1,
  active: false,
  previous: false,
  keyId: '0123456789abcdef',
  ...over,
});
