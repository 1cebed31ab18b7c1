import type { EventMessage } from '../messages/mqtt.ts';

interface Entry {
  readonly event: EventMessage;
  sent: boolean;
}

/** Events that wait for the broker; later ones push out the oldest. */
const CAPACITY = 64;

/** Events until the broker has acknowledged them, in their order. */
export class EventQueue {
  /** events that were pushed out */
  lost = 0;
  #entries: Entry[] = [];

  add(event: EventMessage): void {
    this.#entries.push({ event, sent: false });
    if (this.#entries.length > CAPACITY) {
      this.#entries.shift();
      this.lost += 1;
    }
  }

  /** The next one to send; it stays in the queue until it is settled. */
  next(): EventMessage | undefined {
    const entry = this.#entries.find((candidate) => !candidate.sent);
    if (entry) entry.sent = true;
    return entry?.event;
  }

  settled(event: EventMessage): void {
    this.#entries = this.#entries.filter((entry) => entry.event !== event);
  }

  /** The connection was lost: what was not acknowledged is to be sent again. */
  rewind(): void {
    for (const entry of this.#entries) entry.sent = false;
  }
}
