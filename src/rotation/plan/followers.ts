import { samePlace } from "../place.ts";
import type { Entry } from "../ports.ts";

/** Servers that track these, or one that does (HAProxy allows chains): they leave and come back with them. */
export function followersOf(entries: Entry[], all: Entry[]): Entry[] {
  const led = [...entries];
  const trackers = all.filter(({ tracks }) => tracks !== undefined);
  // What is found is looked at in its turn.
  for (const leader of led) {
    led.push(
      ...trackers.filter(
        (entry) =>
          entry.balancer === leader.balancer &&
          entry.tracks === `${leader.backend}/${leader.server}` &&
          !led.some((one) => samePlace(one, entry)),
      ),
    );
  }
  return led.slice(entries.length);
}
