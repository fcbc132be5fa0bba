import { notYet, yes } from "../base/poll.ts";
import { printable } from "../base/quote.ts";
import type { RestartProof } from "../rotation/restart-way.ts";

/** A field of the JSON that the app's page answers with. @param wanted Absent: something else than before. */
export const fieldProof = (field: string, wanted: string | undefined): RestartProof => ({
  what: wanted === undefined ? `another ${field} on its page` : `"${field}": "${wanted}" on its page`,
  look: { field },
  // Whatever it said afterwards would be something else.
  unfit: (now, serves) =>
    now === undefined && wanted === undefined && serves
      ? `its page gives no ${field} now, so that another one would show nothing; write is: "…" in restart.proof, or another proof`
      : undefined,
  judge(before, now) {
    if (now === undefined) return notYet(`the page gives no ${field}`);
    if (wanted !== undefined) return now === wanted ? yes(undefined) : notYet(`${field} is ${shown(now)}`);
    return now === before ? notYet(`${field} is still ${shown(now)}`) : yes(undefined);
  },
});

const shown = (text: string): string => JSON.stringify(printable(text).slice(0, 80));
