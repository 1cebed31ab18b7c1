import type { BrokerAccess } from '../../messages/broker-config.ts';
import { BulkConnection } from '../../messages/bulk/bulk-connection.ts';
import { trainerTopic } from '../../messages/mqtt.ts';
import { type RecorderClock, systemClock } from '../../recording/clock.ts';
import type { SegmentStore } from '../store/segment-store.ts';
import { Intake, type IntakeState } from './intake.ts';

export type { IntakeState } from './intake.ts';

export interface DatasetIntakeOptions {
  readonly access: BrokerAccess;
  /** name of this trainer */
  readonly trainer: string;
  readonly store: SegmentStore;
  /** space on the disk that is left to others [bytes] */
  readonly leaveFreeBytes?: number;
  /** segments that are received at once */
  readonly claims?: number;
  readonly clock?: RecorderClock;
  /** something of `state` is new; must not throw */
  readonly onChange?: () => void;
  /** there is no connection, or there is one again: then empty; must not throw */
  readonly onConnection?: (problem: string) => void;
  readonly renewed?: () => BrokerAccess | undefined;
}

/**
 * The intake of a trainer, on a connection of its own. Robots offer nothing before the trainer has said `online: true` on
 * its retained `state`; that is the caller's.
 */
export class DatasetIntake {
  readonly #connection: BulkConnection;
  readonly #intake: Intake;

  /** @throws EdgeError `usage` when that is no name of a trainer */
  constructor(options: DatasetIntakeOptions) {
    const { access, trainer, store, leaveFreeBytes, claims, clock = systemClock, renewed } = options;
    // Any name of a robot will do to see whether the trainer's is one.
    trainerTopic(trainer, 'datasetChunk', 'any');
    this.#connection = new BulkConnection({
      ...access,
      clientId: `h2o-trainer-${trainer}-bulk`,
      subscriptions: ['$share/trainers/h2o/v1/+/dataset/offer', `h2o/v1/trainer/${trainer}/dataset/+/chunk`],
      onMessage: (message) => this.#intake.handle(message),
      onConnected: () => options.onConnection?.(''),
      onLost: (problem) => options.onConnection?.(problem),
      ...(renewed && { renewed }),
    });
    this.#intake = new Intake({
      trainer,
      store,
      port: this.#connection,
      clock,
      ...(leaveFreeBytes !== undefined && { leaveFreeBytes }),
      ...(claims !== undefined && { claims }),
      ...(options.onChange && { onChange: options.onChange }),
    });
  }

  get state(): IntakeState {
    return this.#intake.state;
  }

  get counters() {
    return { ...this.#intake.counters };
  }

  start(): void {
    this.#intake.start();
    this.#connection.start();
  }

  /** Gives back what is claimed. The store is the caller's to close. */
  async stop(): Promise<void> {
    await this.#intake.stop();
    await this.#connection.stop();
  }
}
