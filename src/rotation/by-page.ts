/**
 * By the node's own status page: it answers 404, HAProxy's checks fail, and that is waited for; no right to change
 * anything on a balancer is needed. What holds the node out is on the node, so a balancer that is reloaded finds it again.
 */
import { RotaError, messageOf } from "../base/errors.ts";
import type { StatusPage } from "../inventory/fleet.ts";
import { passes, untilEmpty } from "./host.ts";
import { LeftAlone, recordAbsence } from "./leave.ts";
import { isOut, pageFault, tellPage, untilPage } from "./page.ts";
import { untilSeenBack, untilSeenOut, untilSilent } from "./page-waits.ts";
import type { Way } from "./ways.ts";
import { type Trip, type World, isHeld, nameOf } from "./world.ts";

export function byPage(page: StatusPage): Way {
  const tellOut = async (trip: Trip, world: World): Promise<void> => {
    await tellPage(trip, page.out, "drain", world);
    const { whileOut } = trip.pool.check;
    await untilPage(trip, world, {
      what: `${nameOf(trip)} to answer ${whileOut} on its page`,
      step: "drain",
      look: async () => ((await isOut(trip, world)) ? undefined : pageFault(trip, whileOut, world)),
    });
  };

  /** Out, also where a person asked to stop at once: that is no reason to leave it half-way. */
  const surelyOut = async (trip: Trip, world: World): Promise<void> => {
    const going = uninterrupted(world);
    if ((await pageFault(trip, trip.pool.check.whileOut, going)) === undefined) return;
    if ((await pageFault(trip, trip.pool.check.status, going)) === undefined)
      notice(
        trip,
        world,
        "answers by itself that it is well; the balancers may have sent it requests. Told out again",
      );
    await mend(trip, () => tellPage(trip, page.out, "drain", going));
  };

  return {
    async survey(trip, world) {
      const { whileOut } = trip.pool.check;
      trip.pageWasOut = (await pageFault(trip, whileOut, world)) === undefined;
      if (trip.absence || !(trip.standing === "serving" || trip.standing === "down")) return;
      if (trip.pageWasOut)
        throw new LeftAlone(
          `its page answers ${whileOut} already: somebody holds it out (rota ready ends that)`,
        );
    },

    async tell(trip, world) {
      // What somebody holds out is out already.
      if (staysOut(trip) && trip.pageWasOut) return;
      await tellOut(trip, world);
      // Until the balancers show it out it holds its leave: it still counts as serving for whoever asks next.
      if (trip.places.length > 0) await untilSeenOut(trip, page, world, "drain");
    },

    async untilQuiet(trip, world) {
      await untilSeenOut(trip, page, world);
      await untilSilent(trip, page, world);
    },

    async outOfReach(trip, world) {
      // A balancer that was reloaded since takes the node for well until its first check.
      if (trip.places.length > 0) {
        await untilSeenOut(trip, page, world);
        await untilEmpty(trip, world);
      }
      trip.reached = "changed";
    },

    whileOutOfReach: (_, __, work) => work(),

    async untilHealthy(trip, world) {
      const { status, whileOut } = trip.pool.check;
      await passes(trip, world, { step: "check", orStatus: whileOut });
      if ((await pageFault(trip, status, world)) === undefined && trip.reached !== "untouched")
        notice(
          trip,
          world,
          `answers ${status} by itself since its restart: the balancers may have taken it back before its check had passed`,
        );
    },

    async putBack(trip, world) {
      if (staysOut(trip)) {
        await surelyOut(trip, world); // a restart may have ended it
        trip.reached = "back";
        return isHeld(trip) ? undefined : world.journal.putBack(world.fleet, nameOf(trip));
      }
      if (trip.reached === "untouched") {
        await recordAbsence(trip, world);
        trip.reached = "tried";
      }
      await tellPage(trip, page.in, "ready", world);
      await passes(trip, world, { step: "ready" });
      trip.reached = "proven";
      await untilSeenBack(trip, page, world);
      trip.reached = "back";
      await world.journal.putBack(world.fleet, nameOf(trip));
    },

    async leaveAsFound(trip, world) {
      if (staysOut(trip)) return;
      const going = uninterrupted(world);
      await mend(trip, () => tellPage(trip, page.in, "drain", going));
      if (trip.standing !== "serving") return; // it was not well before
      const { status } = trip.pool.check;
      await untilPage(trip, going, {
        what: `${nameOf(trip)} to answer ${status} on its page again`,
        step: "drain",
        look: () => pageFault(trip, status, going),
      });
    },

    isAsFound: async (trip, world) =>
      (await pageFault(trip, trip.pool.check.status, uninterrupted(world))) === undefined,

    keepOut: surelyOut,
    outAgain: surelyOut,

    async lookAfter(trip, world) {
      // One that is silent, as it may be for long, is not asked about over SSH each time.
      if ((await pageFault(trip, trip.pool.check.status, uninterrupted(world))) !== undefined) return;
      await surelyOut(trip, world).catch((thrown: unknown) => {
        if (!(thrown instanceof RotaError)) throw thrown;
        notice(trip, world, `could not be looked after: ${messageOf(thrown)}`);
      });
    },
  };
}

/** Somebody's hold under which the node is worked on, and that stays. */
const staysOut = (trip: Trip): boolean => isHeld(trip) || (trip.standing === "held" && trip.pageWasOut);

/** What puts things right must not hide what the command that failed printed. */
async function mend(trip: Trip, tell: () => Promise<void>): Promise<void> {
  const { lastLines } = trip;
  await tell().finally(() => (trip.lastLines = lastLines));
}

/** What puts things right is done to its end; it has limits of its own. */
const uninterrupted = (world: World): World => ({ ...world, now: new AbortController().signal });

const notice = (trip: Trip, { emit }: World, text: string): void =>
  emit({ type: "notice", node: nameOf(trip), text: `${nameOf(trip)} ${text}` });
