import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { EdgeError, messageOf } from '../errors.ts';
import { readPrivateKey } from '../keys/key-pair.ts';
import { accessBroker } from '../messages/broker-config.ts';
import {
  allowedTrainerResponse,
  MAX_INBOUND_PAYLOAD,
  MQTT_SCHEMA,
  type OnlineTrainer,
  parsePayload,
  policyStatus,
  policyWant,
  type TrainerState,
  trainerTopic,
} from '../messages/mqtt.ts';
import type { TrainerConfig } from './config.ts';
import { realFiles } from './durable-files.ts';
import { DatasetIntake } from './intake/dataset-intake.ts';
import { JobBook } from './jobs/job-book.ts';
import { JobQueue } from './jobs/job-queue.ts';
import { resultOf } from './jobs/job-record.ts';
import { progressOf, RealSteps } from './jobs/job-steps.ts';
import { JobWorker } from './jobs/job-worker.ts';
import { OrderBook } from './jobs/order-book.ts';
import { VersionBook } from './jobs/version-book.ts';
import { Orders } from './orders.ts';
import { OfferBook } from './publishing/offer-book.ts';
import { PolicyPublisher } from './publishing/policy-publisher.ts';
import { PolicyShelf } from './publishing/policy-shelf.ts';
import { stockOfStore } from './stock.ts';
import { SegmentStore } from './store/segment-store.ts';
import { type Received, TrainerConnection } from './trainer-connection.ts';

export interface TrainerOptions {
  readonly config: TrainerConfig;
  /** version of this program */
  readonly revision: string;
  /** what runs the command line: node and its script */
  readonly program: readonly [string, ...string[]];
  readonly log: Logger;
}

/** Changes that come together are told together [ms]. */
const TELL_AFTER = 200;
/** The state is told at least so often [ms]. */
const TELL_EVERY = 5000;
const MOST_REFUSALS = 20;
const MOST_LOSSES = 12;

/** The off-board service: data in, policies out. Whatever happens to it, it goes on from what is on disk. */
export class Trainer {
  readonly #options: TrainerOptions;
  readonly #refusals: OnlineTrainer['refusals'] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #parts: Parts | undefined;
  #working: Promise<void> | undefined;
  #telling: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: TrainerOptions) {
    this.#options = options;
  }

  /** @throws EdgeError when its files cannot be used, the key may not be, or another trainer has its folder */
  async start(): Promise<void> {
    const { config, log } = this.#options;
    if (config.broker.url === '') {
      throw new EdgeError('configInvalid', 'no broker is named', 'put its address under `broker.url`');
    }
    // Better known now than after hours of training.
    readPrivateKey(config.releaseKey);
    accessBroker(config.broker);
    mkdirSync(config.directory, { recursive: true });
    const store = await SegmentStore.open(config.directory, {
      onAdded: () => this.#stockChanged(),
      onProblem: (problem) => log.warn({ problem }, 'the store of segments'),
    });
    try {
      this.#parts = this.#assemble(store);
    } catch (error) {
      await store.close();
      throw error;
    }
    const { control, bulk, worker, publisher, intake } = this.#parts;
    control.start();
    bulk.start();
    intake.start();
    this.#working = worker.run();
    this.#every(TELL_EVERY, () => {
      publisher.offerDue();
      void this.#tell();
    });
    log.info({ trainer: config.id, directory: config.directory }, 'the trainer is up');
  }

  /** Lets go of everything; a training that is under way saves what it has. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#telling);
    const parts = this.#parts;
    if (!parts) return;
    parts.worker.stop();
    await this.#working;
    await parts.intake.stop();
    await parts.publisher.stop();
    if (parts.control.connected) await this.#publishState(offline(this.#wall(), 'the trainer was stopped'));
    await Promise.all([parts.control.stop(), parts.bulk.stop()]);
    await parts.store.close();
  }

  #assemble(store: SegmentStore): Parts {
    const { config, log, program } = this.#options;
    const at = (name: string) => join(config.directory, name);
    const now = () => this.#wall();
    const mayHave = (robot: string) => config.robots.length === 0 || config.robots.includes(robot);
    const book = new JobBook(realFiles, at('jobs'));
    const orderBook = new OrderBook(realFiles, at('orders.json'));
    const offers = new OfferBook(realFiles, at('offers.json'));
    const versions = new VersionBook(realFiles, at('versions.json'));
    const shelf = new PolicyShelf(realFiles, at('policies'));
    const stock = stockOfStore(store, mayHave);
    const queue = new JobQueue({ config, book, orders: orderBook, versions, shelf, stock, now });

    const control = new TrainerConnection({
      clientId: `h2o-trainer-${config.id}`,
      access: () => accessBroker(config.broker),
      subscriptions: [
        trainerTopic(config.id, 'trainerOrder'),
        ...['policy/want', 'policy/status', 'state'].map((path) => `h2o/v1/+/${path}`),
      ],
      will: () => ({
        topic: trainerTopic(config.id, 'trainerState'),
        payload: JSON.stringify(offline(now(), 'the trainer lost its connection to the broker')),
      }),
      onMessage: (message) => this.#receive(message),
      onConnected: () => {
        log.info('connected to the broker');
        this.#publishResult();
        publisher.offerDue(true);
        this.#changed();
      },
      onLost: (problem) => log.warn({ problem }, 'no connection to the broker'),
    });
    const bulk = new TrainerConnection({
      clientId: `h2o-trainer-${config.id}-policies`,
      access: () => accessBroker(config.broker),
    });
    const intake = new DatasetIntake({
      access: accessBroker(config.broker),
      renewed: () => accessBroker(config.broker),
      trainer: config.id,
      store,
      leaveFreeBytes: config.limits.leaveFreeMegabytes * 1e6,
      onChange: () => this.#changed(),
      onConnection: (problem) => {
        if (problem !== '') log.warn({ problem }, 'no connection for datasets');
      },
    });
    const publisher = new PolicyPublisher({
      trainer: config.id,
      offers,
      shelf,
      port: control,
      bulk,
      mayHave,
      kilobytesPerSecond: config.limits.kilobytesPerSecond,
      onChange: () => this.#changed(),
      onRefused: (what, why) => this.#refuse(what, why),
      now: () => performance.now(),
      wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    });
    const onLine = (line: string) => log.debug({ line }, 'job');
    const steps = new RealSteps({ config, files: realFiles, book, stock, shelf, offers, program, onLine, now });
    const worker = new JobWorker({
      book,
      steps,
      next: () => queue.next(),
      onChange: () => this.#changed(),
      onEnd: (job, end) => {
        log.info({ job: job.id, outcome: end.outcome, reason: end.reason }, 'a job has ended');
        this.#publishResult();
        publisher.offerDue();
      },
      rest: (milliseconds, woken) => rest(milliseconds, woken),
      now,
    });
    const orders = new Orders({
      config,
      book,
      orders: orderBook,
      offers,
      shelf,
      stock: () => queue.stock(),
      cancel: (job) => worker.cancel(job),
      mayHave,
      now,
    });
    return { store, book, queue, control, bulk, publisher, worker, orders, intake };
  }

  #receive({ topic, payload, retain, responseTopic, correlationData }: Received): void {
    const parts = this.#parts;
    if (!parts) return;
    const { config } = this.#options;
    if (topic === trainerTopic(config.id, 'trainerOrder')) {
      if (payload.length === 0) return;
      if (retain || payload.length > MAX_INBOUND_PAYLOAD) {
        this.#refuse('an order', retain ? 'it was retained' : `it has ${payload.length} bytes`);
        return;
      }
      const answer = parts.orders.take(payload);
      if (answer.ok) {
        parts.worker.wake();
        parts.publisher.offerDue();
      } else this.#refuse(`order ${JSON.stringify(answer.id)}`, answer.refusal.message);
      this.#changed();
      const where = allowedTrainerResponse(config.id, responseTopic);
      if (where === undefined) this.#refuse('an answer', `it was wanted on ${responseTopic}`);
      else void parts.control.publish(where, JSON.stringify(answer), { correlationData });
      return;
    }
    const [, robot = '', path = ''] = /^h2o\/v1\/([a-z0-9-]+)\/(.+)$/.exec(topic) ?? [];
    if (path === 'policy/want') {
      const want = parsePayload(policyWant, payload);
      if (retain) return;
      if (want.ok) parts.publisher.onWant(robot, want.message);
      else this.#refuse(`${robot} wants a policy`, want.problem);
    } else if (path === 'policy/status') {
      if (payload.length === 0) return;
      const status = parsePayload(policyStatus, payload);
      if (status.ok) parts.publisher.onStatus(robot, status.message);
      else this.#refuse(`policy/status of ${robot}`, status.problem);
    } else if (path === 'state' && !retain) this.#robotState(robot, payload);
  }

  readonly #online = new Map<string, boolean>();

  /** Of a robot's state it matters only whether it has just come back. */
  #robotState(robot: string, payload: Buffer): void {
    const online = payload.includes('"online":true');
    if (online && this.#online.get(robot) !== true) this.#parts?.publisher.heard(robot);
    this.#online.set(robot, online);
  }

  #refuse(what: string, why: string): void {
    this.#options.log.warn({ what, why }, 'refused');
    this.#refusals.unshift({ at: this.#wall(), what, why });
    this.#refusals.length = Math.min(this.#refusals.length, MOST_REFUSALS);
    this.#changed();
  }

  #stockChanged(): void {
    this.#parts?.worker.wake();
    this.#changed();
  }

  #changed(): void {
    if (this.#telling !== undefined || this.#stopped) return;
    this.#telling = setTimeout(() => {
      this.#telling = undefined;
      void this.#tell();
    }, TELL_AFTER);
  }

  async #tell(): Promise<void> {
    const parts = this.#parts;
    if (!parts?.control.connected || this.#stopped) return;
    await this.#publishState(this.#describe(parts));
  }

  async #publishState(state: TrainerState): Promise<void> {
    const { config } = this.#options;
    await this.#parts?.control.publish(trainerTopic(config.id, 'trainerState'), JSON.stringify(state), {
      retain: true,
    });
  }

  #publishResult(): void {
    const { config } = this.#options;
    const last = this.#parts?.book.records.findLast(({ end }) => end !== null);
    if (!last?.end) return;
    const result = resultOf(last, last.end, config.id);
    void this.#parts?.control.publish(trainerTopic(config.id, 'trainerResult'), JSON.stringify(result), {
      retain: true,
    });
  }

  #describe({ book, queue, publisher, worker, intake }: Parts): OnlineTrainer {
    const { config, revision } = this.#options;
    const { open } = book;
    let problem = [worker.problem, intake.state.problem].filter((one) => one !== '').join('; ');
    let entries: ReturnType<JobQueue['plan']> = [];
    let stock: ReturnType<JobQueue['stock']> = [];
    try {
      entries = queue.plan();
      stock = queue.stock();
    } catch (error) {
      problem ||= messageOf(error);
    }
    return {
      schema: MQTT_SCHEMA,
      online: true,
      at: this.#wall(),
      trainer: config.id,
      revision,
      job: open ? describeJob(open, book.folder(open.id)) : null,
      queue: entries.map(({ task, cause, since, problem: why, notBefore }) => ({
        task,
        cause,
        since,
        problem: why,
        notBefore,
      })),
      stock: stock
        .filter(({ segments, task }) => segments > 0 || config.tasks[task] !== undefined)
        .map(({ robots, ...rest }) => ({ ...rest, robots: { ...robots } })),
      offers: publisher.describe().map(({ id, version, sha256, told }) => ({
        id,
        version,
        sha256,
        robots: told.map(({ reasons, ...rest }) => ({ ...rest, reasons: [...reasons] })),
      })),
      refusals: [...this.#refusals],
      problem,
    };
  }

  #wall(): number {
    return Date.now();
  }

  #every(milliseconds: number, work: () => void): void {
    this.#timers.add(setInterval(work, milliseconds));
  }
}

interface Parts {
  readonly store: SegmentStore;
  readonly book: JobBook;
  readonly queue: JobQueue;
  readonly control: TrainerConnection;
  readonly bulk: TrainerConnection;
  readonly publisher: PolicyPublisher;
  readonly worker: JobWorker;
  readonly orders: Orders;
  readonly intake: DatasetIntake;
}

function describeJob(job: NonNullable<JobBook['open']>, folder: string): NonNullable<OnlineTrainer['job']> {
  const { id, task, cause, stage, since, attempt, policy, settings } = job;
  const { step, losses } = stage === 'preparing' ? { step: 0, losses: {} } : progressOf(folder);
  return {
    id,
    task,
    algorithm: settings.algorithm,
    cause,
    stage,
    since,
    attempt: Math.max(1, attempt),
    policy,
    step: Math.max(step, job.steps),
    steps: settings.steps ?? null,
    losses: Object.fromEntries(Object.entries(losses).slice(0, MOST_LOSSES)),
  };
}

const offline = (at: number, problem: string): TrainerState => ({ schema: MQTT_SCHEMA, online: false, at, problem });

/** So long, or until it is woken. */
function rest(milliseconds: number, woken: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      woken.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    woken.addEventListener('abort', done);
    if (woken.aborted) done();
  });
}
