import PQueue from "p-queue";
import { RotaError } from "../base/errors.ts";
import { type Plan, tripsOf } from "../rotation/plan/plan.ts";
import type { Hosts } from "../rotation/ports.ts";

/** Key exchanges cost both sides some milliseconds of CPU each. */
const atOnce = 16;
/** Connections that stay open for the nodes that come first; later ones are opened again ahead of their turn. */
const kept = 32;

/** Connects to every host that something will be done on; each that can't be reached becomes a refusal of the plan. */
export async function openHosts(plan: Plan, hosts: Hosts): Promise<void> {
  const trips = tripsOf(plan).filter(({ hostNeeded }) => hostNeeded);
  const queue = new PQueue({ concurrency: atOnce });
  const refusals = await queue.addAll(
    trips.map(({ node }, i) => async () => {
      try {
        await hosts.open(node);
        if (i >= kept) hosts.close(node);
      } catch (thrown) {
        if (!(thrown instanceof RotaError)) throw thrown;
        return [thrown];
      }
      return [];
    }),
  );
  plan.refusals.push(...refusals.flat()); // in the order of the plan
}
