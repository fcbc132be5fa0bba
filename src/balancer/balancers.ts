import { RotaError, messageOf } from "../base/errors.ts";
import type { Balancer, SocketBalancer } from "../inventory/fleet.ts";
import type { AdminState, Balancers, Place, Survey } from "../rotation/ports.ts";
import type { Deadlines } from "./exchange.ts";
import { type BalancerSite, balancerSite } from "./site.ts";
import { statsPageSite } from "./stats-page.ts";
import { type Ways, type WaysOptions, openWays } from "./ways.ts";

/**
 * The balancers of an inventory at their runtime sockets: all asked at once, one question at a time each.
 * Disposal ends the SSH connections to them.
 *
 * @param within milliseconds to connect and to answer
 * @param onlyRead names of those by which no node leaves: any level of socket will do there
 */
export function haproxies(
  list: Balancer[],
  within?: Deadlines,
  ssh?: WaysOptions,
  onlyRead: ReadonlySet<string> = new Set(),
): Balancers & AsyncDisposable {
  const ways = openWays(ssh);
  const sites = new Map(list.map((balancer) => [balancer.name, siteOf(balancer, ways, within)]));

  /** Hands each balancer the places that are its own. */
  async function each<T, P extends Place>(
    places: P[],
    work: (site: BalancerSite, mine: P[]) => Promise<T[]>,
  ): Promise<T[]> {
    const names = [...new Set(places.map((place) => place.balancer))];
    return await together(
      names.map(async (name) => {
        const site = sites.get(name);
        const mine = places.filter((place) => place.balancer === name);
        if (site) return await work(site, mine);
        const where = mine.map((place) => `${place.backend}/${place.server}`).join(", ");
        throw new RotaError("SERVER_MISSING", {
          problem: `${name}: there is no such balancer in the inventory any more, and it had ${where}`,
        });
      }),
    );
  }

  const set = async (places: Place[], state: AdminState, distrust: boolean): Promise<void> => {
    await each(places, async (site, mine) => [await site.set(mine, state, distrust)]);
  };

  return {
    async survey(needs) {
      const views = await Promise.all(
        [...sites].map(([balancer, site]) =>
          site.survey(onlyRead.has(balancer) ? "read" : needs).catch(unread(balancer)),
        ),
      );
      return {
        entries: views.flatMap((view) => view.entries),
        backends: views.flatMap((view) => view.backends),
        unread: views.flatMap((view) => view.unread),
      };
    },
    async answering(names) {
      const answers = await Promise.all(
        names.map(async (name) => ((await sites.get(name)?.answers()) ? [name] : [])),
      );
      return answers.flat();
    },
    look: async (places) => inOrderOf(places, await each(places, (site, mine) => site.look(mine))),
    set: (places, state) => set(places, state, false),
    distrust: (places) => set(places, "drain", true),
    askAgents: async (places) => {
      await each(places, async (site, mine) => [await site.askAgents(mine)]);
    },
    weigh: (places) => each(places, (site, mine) => site.weigh(mine)),
    watch: async (places) => inOrderOf(places, await each(places, (site, mine) => site.watch(mine))),
    tally: async (places) => inOrderOf(places, await each(places, (site, mine) => site.tally(mine))),
    async oldWorkers(places) {
      const reloads = await each(places, async (site, mine) => [await site.old(mine)]);
      return {
        active: reloads.flatMap(({ active }) => active),
        unseen: reloads.flatMap(({ unseen }) => unseen ?? []),
      };
    },
    sessions: (places) => each(places, (site, mine) => site.sessions(mine).catch(untold)),
    shut: async (places) =>
      (await each(places, async (site, mine) => [await site.shut(mine)])).reduce((a, b) => a + b, 0),
    capacity: (places) => each(places, (site, mine) => site.capacity(mine)),
    [Symbol.asyncDispose]: () => ways[Symbol.asyncDispose](),
  };
}

const siteOf = (balancer: Balancer, ways: Ways, within?: Deadlines): BalancerSite =>
  hasSocket(balancer) ? balancerSite(balancer, ways, within) : statsPageSite(balancer, within);

const hasSocket = (balancer: Balancer): balancer is SocketBalancer => balancer.socket.kind !== "http";

/** One answer for each place, in the order in which they were asked about. */
const inOrderOf = <T extends Place>(places: Place[], answers: T[]): T[] =>
  places.flatMap(
    ({ balancer, backend, server }) =>
      answers.find((at) => at.balancer === balancer && at.backend === backend && at.server === server) ?? [],
  );

/** To know who is there is good, and never needed. */
function untold(thrown: unknown): [] {
  if (thrown instanceof RotaError) return [];
  throw thrown;
}

const unread =
  (balancer: string) =>
  (thrown: unknown): Survey => {
    if (!(thrown instanceof RotaError)) throw thrown;
    return { entries: [], backends: [], unread: [{ balancer, error: thrown }] };
  };

/** All of them, also when one fails: then one error that lists every failure. */
export async function together<T>(work: Promise<T[]>[]): Promise<T[]> {
  const settled = await Promise.allSettled(work);
  const failures = settled.flatMap((result) =>
    result.status === "rejected" ? [result.reason as unknown] : [],
  );
  if (failures.length === 0)
    return settled.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
  const said = failures.filter((failure) => failure instanceof RotaError);
  const defect = failures.find((failure) => !(failure instanceof RotaError));
  if (defect !== undefined || failures.length === 1) throw defect ?? failures[0];
  // A wait looks again at what did not answer, so that must not hide what will never be right.
  const worst = said.find((error) => error.code !== "BALANCER_UNREACHABLE") ?? said[0];
  throw new RotaError(worst?.code ?? "BALANCER_ANSWER", {
    problem: failures.map(messageOf).join("\n"),
    cause: new AggregateError(failures),
  });
}
