import { RotaError, messageOf } from "../base/errors.ts";
import type { Balancer } from "../inventory/fleet.ts";
import type { AdminState, Balancers, Place } from "../rotation/ports.ts";
import { type BalancerSite, balancerSite } from "./site.ts";

/** The balancers of an inventory at their runtime sockets: all asked at once, one question at a time each. */
export function haproxies(list: Balancer[]): Balancers {
  const sites = new Map(list.map((balancer) => [balancer.name, balancerSite(balancer)]));

  /** Hands each balancer the places that are its own. */
  function each<T>(places: Place[], work: (site: BalancerSite, mine: Place[]) => Promise<T[]>): Promise<T[]> {
    const concerned = [...sites].filter(([name]) => places.some((place) => place.balancer === name));
    return together(
      concerned.map(([name, site]) =>
        work(
          site,
          places.filter((place) => place.balancer === name),
        ),
      ),
    );
  }

  /** HAProxy says "done" also where nothing could change, so only what is read back counts. */
  async function set(places: Place[], state: AdminState, distrust: boolean): Promise<void> {
    await each(places, async (site, mine) => {
      await site.set(mine, state, distrust);
      const refused = (await site.look(mine)).filter(
        (entry) => entry.admin !== state && entry.tracks === undefined,
      );
      if (refused.length === 0) return [];
      throw new RotaError("BALANCER_ANSWER", {
        problem: refused
          .map(
            (e) =>
              `${e.balancer}: ${e.backend}/${e.server} was told ${state} and is ${e.admin} (${e.status})`,
          )
          .join("; "),
      });
    });
  }

  return {
    async survey(needs) {
      const views = await together([...sites.values()].map(async (site) => [await site.survey(needs)]));
      return {
        entries: views.flatMap((view) => view.entries),
        backends: views.flatMap((view) => view.backends),
      };
    },
    look: (places) => each(places, (site, mine) => site.look(mine)),
    set: (places, state) => set(places, state, false),
    distrust: (places) => set(places, "drain", true),
    watch: (places) => each(places, (site, mine) => site.watch(mine)),
    capacity: (places) => each(places, (site, mine) => site.capacity(mine)),
  };
}

/** All of them, also when one fails: then one error that lists every failure. */
async function together<T>(work: Promise<T[]>[]): Promise<T[]> {
  const settled = await Promise.allSettled(work);
  const failures = settled.flatMap((result) =>
    result.status === "rejected" ? [result.reason as unknown] : [],
  );
  if (failures.length === 0)
    return settled.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
  const first = failures.find((failure) => failure instanceof RotaError);
  if (failures.length === 1 || !first) throw failures[0];
  throw new RotaError(first.code, {
    problem: failures.map(messageOf).join("\n"),
    cause: new AggregateError(failures),
  });
}
