import { EdgeError, messageOf } from '../errors.ts';
import { MQTT_SCHEMA, parsePayload, type TrainerOrder, type TrainerResponse, trainerOrder } from '../messages/mqtt.ts';
import type { TrainerConfig } from './config.ts';
import type { JobBook } from './jobs/job-book.ts';
import type { JobRecord } from './jobs/job-record.ts';
import type { OrderBook } from './jobs/order-book.ts';
import type { TaskStock } from './jobs/plan.ts';
import type { OfferBook } from './publishing/offer-book.ts';
import type { PolicyShelf } from './publishing/policy-shelf.ts';

export interface OrdersOptions {
  readonly config: TrainerConfig;
  readonly book: JobBook;
  readonly orders: OrderBook;
  readonly offers: OfferBook;
  readonly shelf: PolicyShelf;
  readonly stock: () => readonly TaskStock[];
  /** @returns why the job cannot be ended; empty if it has */
  readonly cancel: (job: JobRecord) => string;
  readonly mayHave: (robot: string) => boolean;
  /** wall clock [ms since 1970] */
  readonly now: () => number;
}

type Order<Do extends TrainerOrder['do']> = Extract<TrainerOrder, { do: Do }>;

/** Carries out what a trainer is told; whatever it answers `ok` to is on disk before. */
export class Orders {
  readonly #options: OrdersOptions;

  constructor(options: OrdersOptions) {
    this.#options = options;
  }

  /** Never throws. */
  take(payload: Uint8Array): TrainerResponse {
    const parsed = parsePayload(trainerOrder, payload);
    if (!parsed.ok) {
      const { value } = parsed;
      const id = typeof value === 'object' && value !== null && 'id' in value ? value.id : null;
      const known = typeof id === 'string' || typeof id === 'number' ? id : null;
      return refusal(known, 'requestInvalid', `not an order: ${parsed.problem}`, 'see docs/asyncapi.yaml');
    }
    const order = parsed.message;
    const before = this.#options.orders.answered(order.id);
    if (before) return before;
    try {
      switch (order.do) {
        case 'train':
          return this.#train(order);
        case 'cancel':
          return this.#cancel(order);
        case 'offer':
          return this.#offer(order);
      }
    } catch (error) {
      const { codeName, message, remedy } =
        error instanceof EdgeError
          ? error
          : { codeName: 'requestRefused', message: messageOf(error), remedy: 'try again' };
      return refusal(order.id, codeName, message, remedy);
    }
  }

  #train({ id, task }: Order<'train'>): TrainerResponse {
    const { config, orders, stock, book, now } = this.#options;
    const settings = config.tasks[task];
    if (!settings) {
      return refusal(id, 'requestRefused', `${task} is not trained here`, 'put it under `tasks` in the configuration');
    }
    const rows = stock().find((one) => one.task === task)?.rows ?? 0;
    if (rows < settings.minRows) {
      return refusal(
        id,
        'requestRefused',
        `there are ${rows} rows of ${task}, wanted are ${settings.minRows} (minRows)`,
        'let robots record and upload more',
      );
    }
    const { open } = book;
    const behind = open === undefined ? 'now' : `after ${open.id}`;
    const answer = accepted(id, `${task} is trained ${behind}, with ${rows} rows`);
    orders.train(task, id, now(), answer);
    return answer;
  }

  #cancel({ id, task }: Order<'cancel'>): TrainerResponse {
    const { book, orders, cancel } = this.#options;
    const open = book.open?.task === task ? book.open : undefined;
    const waits = orders.waiting.some((one) => one.task === task);
    if (!open && !waits) {
      return refusal(id, 'requestRefused', `no job of ${task} runs or waits`, 'see h2o-edge trainer status');
    }
    orders.drop(task);
    const why = open ? cancel(open) : '';
    if (why !== '') return refusal(id, 'requestRefused', `${open?.id} cannot be cancelled: ${why}`, 'let it end');
    const answer = accepted(id, open ? `${open.id} is cancelled` : `${task} is not trained any more`);
    orders.remember(answer);
    return answer;
  }

  #offer({ id, policy, version, robots }: Order<'offer'>): TrainerResponse {
    const { config, offers, shelf, orders, mayHave } = this.#options;
    const wanted = version ?? shelf.newest(policy)?.version;
    if (wanted === undefined || !shelf.versions(policy).includes(wanted)) {
      const which = version === undefined ? policy : `${policy} version ${version}`;
      return refusal(id, 'requestRefused', `${which} was never published here`, 'train it first');
    }
    const to = robots ?? config.offerTo;
    const forbidden = to.filter((robot) => !mayHave(robot));
    if (forbidden.length > 0) {
      return refusal(
        id,
        'requestRefused',
        `${forbidden.join(', ')} may not have policies of this trainer`,
        'see `robots`',
      );
    }
    offers.set({ id: policy, version: wanted }, to);
    const all = offers.all.find((offer) => offer.id === policy)?.robots ?? [];
    const answer = accepted(id, `${policy} version ${wanted} is offered to ${all.join(', ') || 'nobody'}`);
    orders.remember(answer);
    return answer;
  }
}

const accepted = (id: string | number, says: string): TrainerResponse => ({ schema: MQTT_SCHEMA, id, ok: true, says });

const refusal = (id: string | number | null, code: string, message: string, remedy: string): TrainerResponse => ({
  schema: MQTT_SCHEMA,
  id,
  ok: false,
  refusal: { code, message, remedy },
});
