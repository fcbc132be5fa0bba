/** Who may use the console: each has a token of their own. Only its hash is kept. */
import { createHash, randomBytes } from "node:crypto";
import type { Role, Watching } from "../journal/watching.ts";

export interface Person {
  name: string;
  role: Role;
}

export const newToken = (): string => `rota_${randomBytes(32).toString("base64url")}`;

export const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex");

/** Milliseconds for which an answer of the journal stands: a page asks often, and one that was removed is out soon. */
const lasts = 2_000;
const mostKept = 1_000;
const longestToken = 200;

export interface People {
  /** Undefined for a token that is none. @throws RotaError JOURNAL */
  whose(token: string): Promise<Person | undefined>;
  /** It was somebody's, since the console began. */
  wasKnown(token: string): boolean;
}

/** @param guest the token of this start, where there is one: it is kept nowhere, and ends with the console */
export function peopleIn(
  journal: Pick<Watching, "tokenWith">,
  guest: (Person & { token: string }) | undefined,
): People {
  const known = new Map<string, { until: number; person: Person | undefined }>();
  const everKnown = new Set<string>();
  const guestHash = guest && hashOf(guest.token);
  return {
    wasKnown(token) {
      const hash = hashOf(token);
      return hash === guestHash || everKnown.has(hash);
    },
    async whose(token) {
      if (token.length > longestToken) return undefined;
      const hash = hashOf(token);
      if (guest && hash === guestHash) return { name: guest.name, role: guest.role };
      const now = Date.now();
      const kept = known.get(hash);
      if (kept && kept.until > now) return kept.person;
      const found = await journal.tokenWith(hash);
      const person = found && { name: found.name, role: found.role };
      if (person) everKnown.add(hash);
      if (known.size > mostKept) known.clear();
      known.set(hash, { until: now + lasts, person });
      return person;
    },
  };
}

/** At most so many in a minute, from one address and from all: for those that failed. */
export function failuresPerMinute(most: { one: number; all: number }): {
  isTooMany(address: string): boolean;
  count(address: string): void;
} {
  let [minute, all, each] = [0, 0, new Map<string, number>()];
  const turn = (): void => {
    const now = Math.floor(Date.now() / 60_000);
    if (now !== minute) [minute, all, each] = [now, 0, new Map()];
  };
  return {
    isTooMany(address) {
      turn();
      return all >= most.all || (each.get(address) ?? 0) >= most.one;
    },
    count(address) {
      turn();
      all += 1;
      each.set(address, (each.get(address) ?? 0) + 1);
    },
  };
}
