/** Letters to change, add or take away to make one word of the other. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

/** Of the known names those that somebody may have meant, nearest first, at most three. */
export function nearest(name: string, known: readonly string[]): string[] {
  const asked = name.trim().toLowerCase().slice(0, 64);
  if (asked === '') return [];
  return known
    .map((id) => ({ id, far: id.includes(asked) || asked.includes(id) ? 0 : distance(asked, id) }))
    .filter(({ id, far }) => far <= Math.max(2, id.length / 3))
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ id }) => id);
}
