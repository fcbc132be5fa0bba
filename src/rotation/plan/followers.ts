import { samePlace } from "../place.ts";
import type { Entry } from "../ports.ts";

/** Servers that track these, or one that does (HAProxy allows chains): they leave and come back with them. */
export function followersOf(entries: Entry[], all: Entry[]): Entry[] {
  const led = [...entries];
  const trackers = byLeader(all);
  // What is found is looked at in its turn.
  for (const { balancer, backend, server } of led) {
    const followers = trackers.get(`${balancer} ${backend}/${server}`) ?? [];
    led.push(...followers.filter((entry) => !led.some((one) => samePlace(one, entry))));
  }
  return led.slice(entries.length);
}

/** A fleet asks for each of its nodes: sorted once for each survey. */
const sorted = new WeakMap<Entry[], Map<string, Entry[]>>();

function byLeader(all: Entry[]): Map<string, Entry[]> {
  const known = sorted.get(all);
  if (known) return known;
  const trackers = new Map<string, Entry[]>();
  for (const entry of all) {
    if (entry.tracks === undefined) continue;
    const leader = `${entry.balancer} ${entry.tracks}`;
    const others = trackers.get(leader);
    if (others) others.push(entry);
    else trackers.set(leader, [entry]);
  }
  sorted.set(all, trackers);
  return trackers;
}
