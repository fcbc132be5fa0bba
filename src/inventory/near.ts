/** The candidate that was most likely meant, if one is close enough to be worth asking about. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  return near(word, candidates)[0];
}

/** Every candidate that could have been meant, the closest first. */
export function near(word: string, candidates: Iterable<string>): string[] {
  const typed = word.slice(0, 64).toLowerCase();
  const allowed = Math.max(1, Math.floor(typed.length / 3));
  return [...candidates]
    .filter((candidate) => Math.abs(candidate.length - typed.length) <= allowed)
    .map((candidate) => ({ candidate, far: slips(typed, candidate.toLowerCase()) }))
    .filter(({ far }) => far <= allowed)
    .toSorted((a, b) => a.far - b.far)
    .map(({ candidate }) => candidate);
}

/** Slips of the hand between two words: a letter wrong, missing, too many, or two swapped. */
function slips(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        at(above, j) + 1,
        at(row, j - 1) + 1,
        at(above, j - 1) + (same ? 0 : 1),
        swapped ? at(before, j - 2) + 1 : Infinity,
      );
    }
    before = above;
    above = row;
  }
  return at(above, b.length);
}

const at = (row: number[], j: number): number => row[j] ?? Infinity;
