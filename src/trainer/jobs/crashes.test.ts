import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EdgeError } from '../../errors.ts';
import { trainerConfigSchema } from '../config.ts';
import type { DurableFiles } from '../durable-files.ts';
import { OfferBook } from '../publishing/offer-book.ts';
import { PolicyShelf } from '../publishing/policy-shelf.ts';
import type { StockSegment } from '../stock.ts';
import { JobBook } from './job-book.ts';
import { JobQueue } from './job-queue.ts';
import { type JobSteps, JobWorker } from './job-worker.ts';
import { OrderBook } from './order-book.ts';
import { VersionBook } from './version-book.ts';

class Killed extends Error {}

/** A disk in memory under a process that is killed at its n-th write: before it, or right after. */
class FragileDisk implements DurableFiles {
  readonly kept = new Map<string, string>();
  readonly placed: string[] = [];
  dead = false;
  #left = Number.POSITIVE_INFINITY;
  #after = false;

  killAt(writes: number, after: boolean): void {
    this.dead = false;
    this.#left = writes;
    this.#after = after;
  }

  read(path: string): string | undefined {
    this.#alive();
    return this.kept.get(path);
  }

  write(path: string, text: string): void {
    this.#once(() => this.kept.set(path, text));
  }

  place(folder: string, files: ReadonlyMap<string, Uint8Array>): void {
    this.#once(() => {
      if (this.list(folder).length > 0) throw new Error(`${folder} is there already`);
      this.placed.push(folder);
      for (const [name, bytes] of files) this.kept.set(`${folder}/${name}`, Buffer.from(bytes).toString());
    });
  }

  list(folder: string): string[] {
    const inside = [...this.kept.keys()].filter((path) => path.startsWith(`${folder}/`));
    return [...new Set(inside.map((path) => path.slice(folder.length + 1).split('/')[0] ?? ''))].sort();
  }

  #once(write: () => void): void {
    this.#alive();
    this.#left -= 1;
    if (this.#left < 0 && !this.#after) this.#die();
    write();
    if (this.#left < 0) this.#die();
  }

  #alive(): void {
    if (this.dead) throw new Killed();
  }

  #die(): never {
    this.dead = true;
    throw new Killed();
  }
}

const segments: StockSegment[] = [1, 2].map((n) => ({
  sha256: String(n).repeat(64),
  file: `robot-${n}-0000000000000001-000000000001.mcap`,
  path: '',
  robot: `robot-${n}`,
  rows: 100,
}));

const tasks = { minRows: 100, newRows: 100, leastVersion: 3 };
const config = trainerConfigSchema.parse({
  id: 'lab',
  directory: '/t',
  releaseKey: 'k',
  tasks: { 'standing-still': tasks, 'moving-straight': { ...tasks, newRows: 0 } },
});

type End = 'good' | 'bad' | 'diverges';

/** Everything of a trainer but its children and its broker, from what is on disk. */
function trainerOn(disk: FragileDisk, trained: string[], fate: (job: string) => End, untilQuiet: () => void) {
  const book = new JobBook(disk, '/t/jobs');
  const orders = new OrderBook(disk, '/t/orders.json');
  const offers = new OfferBook(disk, '/t/offers.json');
  const versions = new VersionBook(disk, '/t/versions.json');
  const shelf = new PolicyShelf(disk, '/t/policies');
  const stock = { list: () => segments };
  const queue = new JobQueue({ config, book, orders, versions, shelf, stock, now: () => 1_000 });
  const steps: JobSteps = {
    prepare: async () => {},
    train: async (job) => {
      // What makes it durable is the checkpoint of the run, tested elsewhere.
      if (fate(job.id) === 'diverges') throw new EdgeError('trainingDiverged', 'NaN', 'another seed');
      trained.push(job.id);
      return { trained: 'run', steps: 10 };
    },
    evaluate: async (job) => ({ passed: fate(job.id) === 'good', checks: [], evaluations: [] }),
    release: async ({ id, policy }) => {
      const folder = shelf.folder(policy);
      if (!shelf.versions(policy.id).includes(policy.version)) disk.place(folder, new Map([['job', Buffer.from(id)]]));
      expect(disk.read(`${folder}/job`)).toBe(id);
      return 'a'.repeat(64);
    },
    offer: async ({ policy, data }) => {
      offers.set(policy, data.robots);
      return data.robots;
    },
    tidy: async () => {},
  };
  const worker: JobWorker = new JobWorker({
    book,
    steps,
    next: () => queue.next(),
    onChange: () => {},
    onEnd: () => {},
    rest: async () => {
      untilQuiet();
      worker.stop();
    },
    now: () => 1_000,
  });
  return { book, orders, offers, shelf, worker };
}

const crash = fc.record({ writes: fc.integer({ min: 0, max: 12 }), after: fc.boolean() });

it('whatever it is killed at, every job ends once, is published once at most, and versions rise', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(crash, { maxLength: 12 }),
      fc.array(fc.constantFrom<End>('good', 'bad', 'diverges'), { minLength: 1, maxLength: 6 }),
      async (crashes, fates) => {
        const disk = new FragileDisk();
        const trained: string[] = [];
        const fate = (job: string): End => fates[(Number.parseInt(job, 10) - 1) % fates.length] ?? 'good';
        let ordered = false;
        const ends = new Map<string, string>();
        for (const [turn, { writes, after }] of [...crashes, { writes: 10_000, after: false }].entries()) {
          disk.killAt(writes, after);
          try {
            const trainer = trainerOn(disk, trained, fate, () => {});
            if (!ordered) {
              const id = `order-${turn}`;
              trainer.orders.train('moving-straight', id, 1, { schema: 1, id, ok: true, says: '' });
              ordered = true;
            }
            await trainer.worker.run();
          } catch (error) {
            if (!(error instanceof Killed)) throw error;
          }
          // An end that was once on disk never changes.
          for (const [path, text] of disk.kept) {
            if (!path.endsWith('/job.json')) continue;
            const { id, end } = JSON.parse(text);
            if (end === null) continue;
            expect(ends.get(id) ?? end.outcome).toBe(end.outcome);
            ends.set(id, end.outcome);
          }
        }
        disk.killAt(10_000, false);
        const { book, shelf, offers } = trainerOn(disk, trained, fate, () => {});
        expect(book.open).toBeUndefined();
        const published = book.records.filter(({ end }) => end?.outcome === 'published');
        // Both tasks had their job; one that diverged rests before it is tried again.
        expect(new Set(book.records.map(({ task }) => task)).size).toBe(ordered ? 2 : 1);
        expect(book.records.filter(({ task }) => task === 'standing-still')).toHaveLength(1);
        expect(disk.placed).toEqual([...new Set(disk.placed)]);
        expect(disk.placed).toHaveLength(published.length);
        for (const id of ['standing-still-h2o', 'moving-straight-h2o']) {
          const versions = book.records.filter(({ policy }) => policy.id === id).map(({ policy }) => policy.version);
          expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
          for (const version of versions) expect(version).toBeGreaterThanOrEqual(3);
          const newest = shelf.newest(id)?.version;
          expect(offers.all.find((offer) => offer.id === id)?.version).toBe(newest);
        }
      },
    ),
    { numRuns: 150 },
  );
});
