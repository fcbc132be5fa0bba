/** One question for all who ask the same of one balancer meanwhile: what it costs does not grow with how many wait. */
import { jointly } from "../base/jointly.ts";
import { RotaError } from "../base/errors.ts";
import { samePlace } from "../rotation/place.ts";
import type { Place } from "../rotation/ports.ts";
import type { BalancerSite } from "./site.ts";

/** @param turn ends when the balancer may be asked again */
export function jointSite(site: BalancerSite, turn: () => Promise<void>): BalancerSite {
  const joint = { turn, isEverybodys: isUnreachable };
  /** By what is told: those who are told the same are told together. */
  const telling = new Map<string, (places: Place[]) => Promise<unknown[]>>();
  const capacity = jointly(async (places: Place[]) => {
    const backends = await site.capacity(places);
    return places.map((place) => backends.filter(({ backend }) => backend === place.backend));
  }, joint);
  // Costs a question only where there are old workers: it waits for no turn.
  const old = jointly(
    async (places: Place[]) => {
      const { active, unseen } = await site.old(places);
      return places.map((place) => ({ active: active.filter((at) => samePlace(at, place)), unseen }));
    },
    { isEverybodys: isUnreachable },
  );

  return {
    ...site,
    look: jointly((places) => site.look(places), joint),
    watch: jointly((places) => site.watch(places), joint),
    tally: jointly((places) => site.tally(places), joint),

    async set(places, state, distrust) {
      const what = `${state} ${distrust}`;
      const tell =
        telling.get(what) ??
        jointly(async (all: Place[]) => {
          await site.set(all, state, distrust);
          return all;
        }, joint);
      telling.set(what, tell);
      await tell(places);
    },

    async old(places) {
      const seen = await old(places);
      return { active: seen.flatMap(({ active }) => active), unseen: seen[0]?.unseen };
    },

    async capacity(places) {
      const one = new Map(places.map((place) => [place.backend, place]));
      return (await capacity([...one.values()])).flat();
    },
  };
}

const isUnreachable = (thrown: unknown): boolean =>
  thrown instanceof RotaError && thrown.code === "BALANCER_UNREACHABLE";
