/** An event on its way to the broker. */
export interface QueuedEvent {
  readonly event: string;
  readonly [detail: string]: unknown;
}

interface Entry {
  readonly key: string;
  event: QueuedEvent;
  /** 0 until it is sent */
  messageId: number;
}

/** Kinds of events that may wait. */
const CAPACITY = 16;
/** Ids that one event answers. */
const MOST_IDS = 16;

/**
 * Events until the broker has them, in bounded memory. Of each kind at most one waits: a later one takes its place and
 * takes over the ids that it answers, so that a flood of stops becomes a few events and everybody is still answered.
 */
export class EventOutbox {
  readonly counters = {
    /** events that the broker has taken over */
    eventsSent: 0,
    /** events that a later one of their kind has replaced */
    eventsMerged: 0,
    /** events that were pushed out by others or refused by the broker */
    eventsLost: 0,
  };
  #entries: Entry[] = [];
  #lastId = 1;

  offer(event: QueuedEvent): void {
    const key = `${event.event}/${String(event.stage ?? '')}`;
    const waiting = this.#entries.find((entry) => entry.key === key && entry.messageId === 0);
    if (waiting) {
      this.counters.eventsMerged += 1;
      const ids = [...idsOf(waiting.event), ...idsOf(event)].slice(-MOST_IDS);
      waiting.event = ids.length > 0 ? { ...event, ids } : event;
      return;
    }
    this.#entries.push({ key, event, messageId: 0 });
    if (this.#entries.length > CAPACITY) {
      this.#entries.shift();
      this.counters.eventsLost += 1;
    }
  }

  /** The next event to send, with the id to send it under, unless `inFlight` of them wait for their acknowledgement. */
  next(inFlight: number): { readonly event: QueuedEvent; readonly messageId: number } | undefined {
    if (this.#entries.filter((entry) => entry.messageId > 0).length >= inFlight) return undefined;
    const entry = this.#entries.find((candidate) => candidate.messageId === 0);
    if (!entry) return undefined;
    // 1 is the subscription's.
    this.#lastId = this.#lastId >= 0xffff ? 2 : this.#lastId + 1;
    entry.messageId = this.#lastId;
    return { event: entry.event, messageId: entry.messageId };
  }

  /** The broker has it, or does not want it. */
  settled(messageId: number, accepted: boolean): void {
    const before = this.#entries.length;
    this.#entries = this.#entries.filter((entry) => entry.messageId !== messageId);
    if (this.#entries.length === before) return;
    if (accepted) this.counters.eventsSent += 1;
    else this.counters.eventsLost += 1;
  }

  /** A new connection: what was not acknowledged is to be sent again. */
  rewind(): void {
    for (const entry of this.#entries) entry.messageId = 0;
  }
}

const idsOf = (event: QueuedEvent): readonly unknown[] => (Array.isArray(event.ids) ? event.ids : []);
