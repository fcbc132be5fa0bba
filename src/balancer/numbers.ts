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
  let known: ServerState[] = [];

  /** @param read is given the numbers of each place; it returns undefined when its answer does not fit them */
  return async <T>(places: Place[], read: (numbers: ServerState[]) => Promise<T | undefined>): Promise<T> => {
    for (let tried = 0; tried < tries; tried++) {
      if (!places.every((place) => find(known, place))) {
        const learned = await statesOf(places);
        const others = known.filter((old) => !learned.some(({ backend }) => backend === old.backend));
        known = [...others, ...learned];
      }
      const answer = await read(places.map((place) => stateAt(known, place, balancer)));
      if (answer !== undefined) return answer;
      known = [];
    }
    throw new RotaError("BALANCER_ANSWER", {
      problem: `${balancer}: the numbers of its servers change all the time; is HAProxy reloaded over and over?`,
    });
  };
}

const find = (states: ServerState[], { backend, server }: Place): ServerState | undefined =>
  states.find((state) => state.backend === backend && state.server === server);

/** @throws RotaError SERVER_MISSING */
export function stateAt(states: ServerState[], place: Place, balancer: string): ServerState {
  const state = find(states, place);
  if (state) return state;
  throw new RotaError("SERVER_MISSING", {
    problem: `${balancer}: the backend ${place.backend} has no server ${place.server}`,
  });
}
