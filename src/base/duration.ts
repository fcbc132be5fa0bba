const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export const durationPattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** "250ms", "1.5s", "10m", "2h", "1d" → milliseconds; undefined for anything else (a bare number too). */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = durationPattern.exec(text.trim()) ?? [];
  const one = unit && unitMs[unit];
  return amount && one ? Math.round(Number(amount) * one) : undefined;
}

/** Milliseconds as a person would say them: 250ms, 1.2s, 12s, 3m20s, 2h05m, 3d. */
export function sayDuration(milliseconds: number): string {
  const ms = Math.max(0, Math.round(milliseconds));
  if (ms < 1_000) return `${ms}ms`;
  if (ms < 9_950) return `${trimZero((ms / 1_000).toFixed(1))}s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 ? `${minutes}m${two(seconds % 60)}s` : `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours}h${two(minutes % 60)}m` : `${hours}h`;
  return `${Math.floor(hours / 24)}d`;
}

const two = (n: number): string => String(n).padStart(2, "0");
const trimZero = (text: string): string => text.replace(/\.0$/, "");
