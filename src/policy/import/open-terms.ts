/** A term whose joints nobody states: all of them, or only those that it makes most sense of. */
export interface OpenTerm {
  /** in the observation */
  readonly at: number;
  /** numbers less that the term has if it is of these joints only, with its history */
  readonly less: number;
}

/**
 * Which of the open terms are of fewer joints, if only one choice gives the size that the model has.
 * @param size of the observation if every term is of all joints
 * @returns positions of the terms; none if all of them are of all joints, or if more than one choice would do
 */
export function narrowTerms(open: readonly OpenTerm[], size: number, wanted: number): readonly number[] {
  if (size === wanted || open.length > 8) return [];
  const fitting: Array<readonly number[]> = [];
  for (let choice = 1; choice < 2 ** open.length; choice++) {
    const chosen = open.filter((_, bit) => (choice >>> bit) & 1);
    if (chosen.reduce((rest, { less }) => rest - less, size) === wanted) fitting.push(chosen.map(({ at }) => at));
  }
  const [only = [], ...others] = fitting;
  return others.length === 0 ? only : [];
}
