/** By HAProxy's runtime socket: `drain`, then `maint`, and back through `drain`. */
import { leaveAsFound, putBack, undoMaint } from "./back.ts";
import { outOfReach, passes } from "./host.ts";
import { tellAgainIfBack, whileOutOfReach } from "./keep-out.ts";
import { untilAnswered } from "./unanswered.ts";
import { untilQuiet } from "./settle.ts";
import type { Way } from "./ways.ts";

export const byRuntime: Way = {
  survey: async () => {},

  async tell(trip, world) {
    // On every balancer before any waiting: a late one keeps sending requests.
    const inRotation = trip.entries.filter((entry) => entry.admin === "ready");
    await untilAnswered(trip, world, () => world.balancers.set(inRotation, "drain"));
  },

  untilQuiet,
  outOfReach,
  whileOutOfReach,
  untilHealthy: (trip, world) => whileOutOfReach(trip, world, () => passes(trip, world)),
  putBack,

  async leaveAsFound(trip, world) {
    await undoMaint(trip, world);
    await leaveAsFound(trip, world);
  },

  isAsFound: ({ found }, { balancers }) =>
    balancers.look(found).then(
      (entries) =>
        entries.every(({ admin, agent }, i) => admin === found[i]?.admin && !agent === !found[i].agent),
      () => false,
    ),

  // A failed node gets no sticky client either.
  keepOut: (trip, { balancers }) => balancers.set(trip.places, "maint"),

  async outAgain({ entries, found, absence }, { balancers }) {
    // Drained where only a failing check kept it out.
    const out = entries.filter((entry) => entry.outBecause);
    const inMaint = out.filter((entry) => entry.admin === "maint");
    await balancers.set(inMaint, "maint");
    await balancers.set(
      out.filter((entry) => !inMaint.includes(entry)),
      "drain",
    );
    // Of a hold of ours none is asked until its end.
    if (!absence)
      await balancers.askAgents(found.flatMap((at) => (at.agent ? { ...at, agent: at.agent } : [])));
  },

  lookAfter: tellAgainIfBack,
};
