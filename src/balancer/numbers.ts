import { RotaError } from "../base/errors.ts";
import type { Place } from "../rotation/ports.ts";
import type { ServerState } from "./answers.ts";

/** How often a reload may come just between two questions. */
const tries = 3;

/**
 * Asks about servers by HAProxy's numbers for them, as `show stat` wants it. A reload may change them; then the
 * answer is about something else, and they are learned anew.
 *
 * @param statesOf reads the whole backends of these places
 */
export function askingByNumber(balancer: string, statesOf: (places: Place[]) => Promise<ServerState[]>) {
  /** By backend, and in it by server. */
  let known = new Map<string, Map<string, ServerState>>();
  const find = ({ backend, server }: Place): ServerState | undefined => known.get(backend)?.get(server);

  function learn(states: ServerState[]): void {
    for (const backend of new Set(states.map((state) => state.backend)))
      known.set(
        backend,
        new Map(states.filter((at) => at.backend === backend).map((state) => [state.server, state])),
      );
  }

  /** @param read is given the numbers of each place; it returns undefined when its answer does not fit them */
  return async <T>(places: Place[], read: (numbers: ServerState[]) => Promise<T | undefined>): Promise<T> => {
    for (let tried = 0; tried < tries; tried++) {
      if (!places.every(find)) learn(await statesOf(places));
      const answer = await read(places.map((place) => find(place) ?? missing(place, balancer)));
      if (answer !== undefined) return answer;
      known = new Map();
    }
    throw new RotaError("BALANCER_ANSWER", {
      problem: `${balancer}: the numbers of its servers change all the time; is HAProxy reloaded over and over?`,
    });
  };
}

/** @throws RotaError SERVER_MISSING */
export const stateAt = (states: ServerState[], place: Place, balancer: string): ServerState =>
  states.find(({ backend, server }) => backend === place.backend && server === place.server) ??
  missing(place, balancer);

function missing({ backend, server }: Place, balancer: string): never {
  throw new RotaError("SERVER_MISSING", {
    problem: `${balancer}: the backend ${backend} has no server ${server}`,
  });
}
