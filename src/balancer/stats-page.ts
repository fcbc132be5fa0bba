/** One balancer that is only read, at its statistics page (`stats uri`, Configuration Manual §4.2). */
import { RotaError } from "../base/errors.ts";
import type { Balancer } from "../inventory/fleet.ts";
import type { StatusClient } from "../health/status.ts";
import type { Activity, Entry, Place, Tally } from "../rotation/ports.ts";
import { AnswerError } from "./answers.ts";
import type { Deadlines } from "./exchange.ts";
import { backendsOf } from "./reading.ts";
import { type BalancerSite, isAnswered } from "./site.ts";
import { type StatsCsv, readStatsCsv } from "./stats-csv.ts";

/** Characters. 5,000 servers answer with about 1.5 MB. */
const longest = 64 * 1024 * 1024;

/** The HTTP client is loaded for those who use it. */
const openClient = async (): Promise<StatusClient> =>
  (await import("../health/status.ts")).createStatusClient(longest);

/** @param within milliseconds to connect and to answer, together */
export function statsPageSite(
  { name, socket }: Balancer,
  within: Deadlines = { connect: 2_000, reply: 5_000 },
): BalancerSite {
  const url = "url" in socket ? socket.url : "";
  let opening: Promise<StatusClient> | undefined;

  async function read(): Promise<StatsCsv> {
    const { signal } = new AbortController();
    const client = await (opening ??= openClient());
    const answer = await client.ask(`${url};csv`, { within: within.connect + within.reply, signal });
    if (answer.kind === "silent") {
      const next = `see that HAProxy runs and that ${url} is its statistics page ("stats uri")`;
      throw new RotaError("BALANCER_UNREACHABLE", { problem: `${name}: ${url}: ${answer.why}`, next });
    }
    if (answer.status !== 200) {
      const hint = answer.status === 401 ? '; rota has no password for it, so no "stats auth" there' : "";
      throw new RotaError("BALANCER_ANSWER", { problem: `${name}: ${url} answered ${answer.status}${hint}` });
    }
    try {
      return readStatsCsv(name, answer.body);
    } catch (thrown) {
      if (!(thrown instanceof AnswerError)) throw thrown;
      const problem = `${name}: ${url} does not answer as a statistics page does: ${thrown.message}`;
      throw new RotaError("BALANCER_ANSWER", { problem, cause: thrown });
    }
  }

  const pick = <T extends Place>(all: T[], places: Place[]): T[] =>
    places.map((place) => {
      const found = all.find((one) => one.backend === place.backend && one.server === place.server);
      if (found) return found;
      throw new RotaError("SERVER_MISSING", {
        problem: `${name}: the backend ${place.backend} has no server ${place.server} any more`,
      });
    });

  const readOnly = (): RotaError =>
    new RotaError("BALANCER_RIGHTS", {
      problem: `${name}: a statistics page is only read; nothing can be changed there`,
    });

  return {
    async survey(needs) {
      if (needs === "change") throw readOnly();
      const { entries, totals } = await read();
      return { entries, backends: backendsOf(name, entries, totals), unread: [] };
    },
    answers: () => isAnswered(read()),
    look: async (places): Promise<Entry[]> => pick((await read()).entries, places),
    watch: async (places): Promise<Activity[]> => pick((await read()).activity, places),
    tally: async (places): Promise<Tally[]> => pick((await read()).tallies, places),
    async capacity(places) {
      const { entries, totals } = await read();
      const backends = new Set(places.map(({ backend }) => backend));
      return backendsOf(name, entries, totals).filter(({ backend }) => backends.has(backend));
    },
    // A page knows nothing of them, nor how old the worker is that made it.
    old: () => Promise.resolve({ active: [], unseen: undefined }),
    sessions: () => Promise.resolve([]),
    shut: () => Promise.reject(readOnly()),
    set: () => Promise.reject(readOnly()),
    askAgents: () => Promise.reject(readOnly()),
    weigh: () => Promise.reject(readOnly()),
  };
}
