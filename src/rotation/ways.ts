/** The ways in which a node leaves rotation and returns: by HAProxy's runtime socket, by its own status page, or not at all. */
import { byPage } from "./by-page.ts";
import { byRuntime } from "./by-runtime.ts";
import { inPlace } from "./in-place.ts";
import type { Trip, World } from "./world.ts";

/** What differs between the ways. All that is the same stands in `node.ts`, `leave.ts` and `host.ts`. */
export interface Way {
  /** What the balancers don't show. @throws LeftAlone */
  survey(trip: Trip, world: World): Promise<void>;
  /** Told to leave, and seen to have taken it. The journal and the capacity guard came before. */
  tell(trip: Trip, world: World): Promise<void>;
  /** Until nothing is sent to it any more, and nothing runs. */
  untilQuiet(trip: Trip, world: World): Promise<void>;
  /** Before anything is done on the node: nobody reaches it. From here the only way back is a proof. */
  outOfReach(trip: Trip, world: World): Promise<void>;
  /** Keeps it so while the work lasts. */
  whileOutOfReach<T>(trip: Trip, world: World, work: () => Promise<T>): Promise<T>;
  /** The node's own word that it is well. */
  untilHealthy(trip: Trip, world: World): Promise<void>;
  /** Into rotation, with a proof that the balancers see it well. */
  putBack(trip: Trip, world: World): Promise<void>;
  /** Nothing was done on the node: as it was found, read back. */
  leaveAsFound(trip: Trip, world: World): Promise<void>;
  /** Whether it is so, though that failed. */
  isAsFound(trip: Trip, world: World): Promise<boolean>;
  /** A node that failed stays out. */
  keepOut(trip: Trip, world: World): Promise<void>;
  /** A return by hand failed: out as it was before. */
  outAgain(trip: Trip, world: World): Promise<void>;
  /** The rollout goes on, or ends: a node that failed before is still out. */
  lookAfter(trip: Trip, world: World): Promise<void>;
}

export function wayOf({ pool, stays }: Trip): Way {
  if (stays) return inPlace;
  return pool.statusPage ? byPage(pool.statusPage) : byRuntime;
}
