import { decodeRow, type Row } from '../../messages/row.ts';

/** Every row that comes is decoded and fits the one before it. */
export class RowCheck {
  readonly problems: string[] = [];
  #previous: Row | undefined;

  take(bytes: Uint8Array): Row | undefined {
    const row = decodeRow(bytes);
    if (row === undefined) {
      this.problems.push('a row could not be decoded');
      return undefined;
    }
    const before = this.#previous;
    if (before && row.sequence <= before.sequence) {
      this.problems.push(`row ${row.sequence} came after ${before.sequence}`);
    }
    this.#previous = row;
    return row;
  }
}
