import { z } from 'zod';
import { type TrainerResponse, trainerResponse } from '../../messages/mqtt-trainer.ts';
import type { TaskName } from '../../robot/tasks/task.ts';
import { taskNames } from '../../robot/tasks/tasks.ts';
import type { DurableFiles } from '../durable-files.ts';
import { parse } from './job-book.ts';

type OrderId = string | number;

/** Answers that are remembered, so that an order that comes twice is carried out once. */
const REMEMBERED = 256;

const schema = z.object({
  /** trainings that were asked for and have not begun: one a task, however often it was asked */
  waiting: z.array(
    z.object({
      task: z.enum(taskNames),
      /** all that it carries out */
      ids: z.array(z.union([z.string(), z.number()])),
      /** wall clock [ms since 1970] */
      since: z.number(),
    }),
  ),
  answers: z.array(trainerResponse),
});
export type WaitingOrder = z.output<typeof schema>['waiting'][number];

/** Orders that were given and answered, on disk before the answer goes out. */
export class OrderBook {
  readonly #files: DurableFiles;
  readonly #path: string;
  #book: z.output<typeof schema> = { waiting: [], answers: [] };

  /** @throws EdgeError `fileInvalid`, `fileUnreadable` */
  constructor(files: DurableFiles, path: string) {
    this.#files = files;
    this.#path = path;
    const text = files.read(path);
    if (text !== undefined) this.#book = parse(text, schema, path);
  }

  get waiting(): readonly WaitingOrder[] {
    return this.#book.waiting;
  }

  /** What was answered to it the first time. */
  answered(id: OrderId): TrainerResponse | undefined {
    return this.#book.answers.find((answer) => answer.id === id);
  }

  /** @throws EdgeError `fileUnreadable`; then nothing was ordered */
  train(task: TaskName, id: OrderId, since: number, answer: TrainerResponse): void {
    const known = this.waiting.find((one) => one.task === task);
    const others = this.waiting.filter((one) => one.task !== task);
    const merged = { task, ids: [...(known?.ids ?? []), id], since: known?.since ?? since };
    this.#write({ waiting: [...others, merged], answers: this.#remember(answer) });
  }

  /** @throws EdgeError `fileUnreadable` */
  remember(answer: TrainerResponse): void {
    this.#write({ waiting: [...this.waiting], answers: this.#remember(answer) });
  }

  /** It is carried out, or not wanted any more. @throws EdgeError `fileUnreadable` */
  drop(task: TaskName): void {
    if (!this.waiting.some((one) => one.task === task)) return;
    this.#write({ ...this.#book, waiting: this.waiting.filter((one) => one.task !== task) });
  }

  #remember(answer: TrainerResponse): TrainerResponse[] {
    return [...this.#book.answers, answer].slice(-REMEMBERED);
  }

  #write(book: z.output<typeof schema>): void {
    this.#files.write(this.#path, `${JSON.stringify(book)}\n`);
    this.#book = book;
  }
}
