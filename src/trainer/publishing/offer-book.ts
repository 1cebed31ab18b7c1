import { z } from 'zod';
import { policyIdSchema } from '../../messages/policy-stages.ts';
import type { DurableFiles } from '../durable-files.ts';
import { parse } from '../jobs/job-book.ts';

const schema = z.array(z.object({ id: policyIdSchema, version: z.int().positive(), robots: z.array(z.string()) }));
export type StandingOffer = z.output<typeof schema>[number];

/** Which version of each policy which robots may have; one a policy, the newest that was said. */
export class OfferBook {
  readonly #files: DurableFiles;
  readonly #path: string;
  #offers: readonly StandingOffer[] = [];

  /** @throws EdgeError `fileInvalid`, `fileUnreadable` */
  constructor(files: DurableFiles, path: string) {
    this.#files = files;
    this.#path = path;
    const text = files.read(path);
    if (text !== undefined) this.#offers = parse(text, schema, path);
  }

  get all(): readonly StandingOffer[] {
    return this.#offers;
  }

  /** Whoever was offered a version before is offered the new one too. @throws EdgeError `fileUnreadable` */
  set({ id, version }: { readonly id: string; readonly version: number }, robots: readonly string[]): void {
    const known = this.#offers.find((offer) => offer.id === id);
    const all = [...new Set([...(known?.robots ?? []), ...robots])].sort();
    const offers = [...this.#offers.filter((offer) => offer.id !== id), { id, version, robots: all }];
    this.#files.write(this.#path, `${JSON.stringify(offers, null, 2)}\n`);
    this.#offers = offers;
  }
}
