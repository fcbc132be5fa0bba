/**
 * Fisher's exact test, one-sided: how often chance alone would give a group at least so many of all that failed, were
 * both groups alike. (R. A. Fisher, The Design of Experiments, 1935; the tail of the hypergeometric distribution.)
 * Exact for any counts, few or many.
 *
 * @returns 0 … 1; 1 where nothing failed
 */
export function chanceOf(
  mine: { failed: number; of: number },
  others: { failed: number; of: number },
): number {
  const failed = mine.failed + others.failed;
  const all = mine.of + others.of;
  const whole = lnChoose(all, failed);
  let chance = 0;
  for (let k = mine.failed; k <= Math.min(failed, mine.of); k++) {
    const one = Math.exp(lnChoose(mine.of, k) + lnChoose(others.of, failed - k) - whole);
    chance += one;
    // Past its peak the rest of the tail is less than what is no longer seen.
    if (one < chance * 1e-12) break;
  }
  return Math.min(1, chance);
}

const lnChoose = (n: number, k: number): number =>
  k < 0 || k > n ? -Infinity : lnFactorial(n) - lnFactorial(k) - lnFactorial(n - k);

const small = Array.from({ length: 32 }, () => 0);
for (let n = 2; n < small.length; n++) small[n] = (small[n - 1] ?? 0) + Math.log(n);

/** Stirling's series; its error is below 1e-12 from 32 on. */
const lnFactorial = (n: number): number =>
  small[n] ??
  n * Math.log(n) -
    n +
    Math.log(2 * Math.PI * n) / 2 +
    1 / (12 * n) -
    1 / (360 * n ** 3) +
    1 / (1260 * n ** 5);
