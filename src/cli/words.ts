/** Words of the command line that hold more than text. @throws RotaError USAGE */
import { durationPattern, parseDuration } from "../base/duration.ts";
import { RotaError } from "../base/errors.ts";
import { typedWord } from "../base/quote.ts";
import type { Share } from "../inventory/fleet.ts";
import { environmentPattern, shown } from "../inventory/names.ts";

const wrong = (problem: string): RotaError => new RotaError("USAGE", { problem });

/** KEY=VALUE words of --set. */
export function readSet(words: string[]): Record<string, string> {
  return Object.fromEntries(words.map(readPair));
}

function readPair(word: string): [string, string] {
  const [, key = "", value] = /^([^=]*)=(.*)$/s.exec(word) ?? [];
  if (value === undefined) throw wrong(`--set ${shown(word)} holds no "="; write KEY=VALUE`);
  if (!environmentPattern.test(key) || key.startsWith("ROTA_"))
    throw wrong(
      `--set ${shown(word)}: ${shown(key)} is not a variable's name; letters, digits and _, not ROTA_…`,
    );
  if (value.includes("\0")) throw wrong(`--set ${key}: the value holds a NUL character`);
  return [key, value];
}

/** "2" or "25%"; `least` is the smallest count. */
export function readShare(option: string, word: string | undefined, least: number): Share | undefined {
  if (word === undefined) return undefined;
  const [, digits, percent] = /^(\d{1,6})(%?)$/.exec(word) ?? [];
  const amount = Number(digits);
  if (digits === undefined || amount < least || (percent && amount > 100))
    throw wrong(`${option} ${shown(word)}: write a count of at least ${least}, or a percent such as 25%`);
  return percent ? { percent: amount } : { count: amount };
}

/** "2", "25%", or a list: "1,25%,50%". */
export const readShares = (option: string, word: string | undefined): Share[] | undefined =>
  word?.split(",").flatMap((one) => readShare(option, one, 1) ?? []);

export function readCount(option: string, word: string | undefined): number | undefined {
  if (word === undefined) return undefined;
  if (!/^\d{1,6}$/.test(word)) throw wrong(`${option} ${shown(word)}: write a whole number, 0 or more`);
  return Number(word);
}

/** Milliseconds. */
export function readDuration(option: string, word: string | undefined): number | undefined {
  if (word === undefined) return undefined;
  const milliseconds = durationPattern.test(word) ? parseDuration(word) : undefined;
  if (!milliseconds) throw wrong(`${option} ${shown(word)}: write a duration such as 30m, 2h or 1d`);
  return milliseconds;
}

/** -i FILE, where that was given. */
export const inventoryArgs = (inventory: string | undefined): string[] =>
  inventory === undefined ? [] : ["-i", inventory];

/** Where nothing is in the journal, no list helps: it may be the wrong one. @param where as of `inventoryWords` */
export const noRunYet = (where: string): string =>
  `rota status${where}, which shows the fleet; runs that should be there are in another journal: see $ROTA_JOURNAL`;

/** " -i FILE" as a person can paste it, where that was given. */
export const inventoryWords = (inventory: string | undefined): string =>
  inventory === undefined ? "" : ` -i ${typedWord(inventory)}`;

/** A command line as a person can paste it. */
export const commandLine = (words: string[]): string => ["rota", ...words.map(typedWord)].join(" ");
