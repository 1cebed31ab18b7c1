import type { Logger } from 'pino';
import type { BrokerAccess } from '../../messages/broker-config.ts';
import { BulkConnection } from '../../messages/bulk/bulk-connection.ts';
import type { Config } from '../../messages/config.ts';
import { type DatasetStatus, topic } from '../../messages/mqtt.ts';
import { systemClock } from '../../recording/clock.ts';
import { SegmentOutbox } from './outbox.ts';
import { offStatus } from './upload-status.ts';
import { Uploader } from './uploader.ts';

export interface DatasetUploadOptions {
  readonly access: BrokerAccess;
  readonly robot: string;
  /** folder of recordings */
  readonly directory: string;
  readonly upload: Config['upload'];
  readonly log: Logger;
  /** see `BulkOptions` */
  readonly renewed: () => BrokerAccess | undefined;
  /** whether the connection for commands is slow: then this one waits */
  readonly isBusy: () => boolean;
  /** wall clock [ms since 1970]; only for the record */
  readonly wall?: () => number;
}

/** The upload of a robot's recordings, on a connection of its own. */
export class DatasetUpload {
  readonly #options: DatasetUploadOptions;
  readonly #wall: () => number;
  readonly #connection: BulkConnection;
  readonly #uploader: Uploader;
  readonly #statusTopic: string;

  constructor(options: DatasetUploadOptions) {
    const { access, robot, directory, upload, renewed, isBusy, log } = options;
    this.#options = options;
    this.#wall = options.wall ?? Date.now;
    this.#statusTopic = topic(robot, 'datasetStatus');
    const lost = JSON.stringify(offStatus('the robot lost its connection to the broker', this.#wall()));
    this.#connection = new BulkConnection({
      ...access,
      clientId: `h2o-${robot}-bulk`,
      subscriptions: [topic(robot, 'datasetClaim'), topic(robot, 'datasetAcknowledge'), 'h2o/v1/trainer/+/state'],
      will: { topic: this.#statusTopic, payload: lost, retain: true },
      renewed,
      onMessage: (message) => this.#uploader.handle(message),
      onConnected: () => this.#uploader.connected(),
      onLost: (problem) => {
        log.warn({ problem }, 'no connection to the broker for datasets');
        this.#uploader.lost();
      },
    });
    this.#uploader = new Uploader({
      robot,
      port: this.#connection,
      outbox: new SegmentOutbox({ directory, wall: this.#wall }),
      clock: { ...systemClock, wallNs: () => BigInt(this.#wall()) * 1_000_000n },
      kilobytesPerSecond: upload.kilobytesPerSecond,
      trainers: upload.trainers,
      isBusy,
      onStatus: (status) => this.#say(status),
    });
  }

  get counters() {
    return { ...this.#uploader.counters };
  }

  start(): void {
    this.#connection.start();
    this.#uploader.start();
  }

  async stop(): Promise<void> {
    await this.#uploader.stop();
    if (this.#connection.connected) this.#publish(offStatus('the gateway was stopped', this.#wall()));
    await this.#connection.stop();
  }

  #say(status: DatasetStatus): void {
    const { state, problem } = status;
    this.#options.log.debug({ state, problem }, 'upload');
    this.#publish(status);
  }

  #publish(status: DatasetStatus): void {
    void this.#connection.publish(this.#statusTopic, JSON.stringify(status), { retain: true });
  }
}
