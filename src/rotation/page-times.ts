/** How long HAProxy's checks may take to notice, at worst: a check was just missed, each hangs to its end. Pure. */
import type { StatusPage } from "../inventory/fleet.ts";

/** Milliseconds until the node is seen out; undefined where the inventory does not say enough. */
export const worstOut = (page: StatusPage): number | undefined => worst(page, page.fall);

/** Milliseconds until it is seen back. */
export const worstBack = (page: StatusPage): number | undefined => worst(page, page.rise);

function worst(
  { inter, fastinter = inter, timeout = inter }: StatusPage,
  checks?: number,
): number | undefined {
  if (inter === undefined || fastinter === undefined || timeout === undefined || checks === undefined)
    return undefined;
  return inter + (checks - 1) * fastinter + checks * timeout;
}

/** What a busy machine may add to a wait whose end is computed. */
const slack = 1_000;

/** The limit of a wait for the balancers: what the inventory gives it, and no less than they may need. */
export const atLeast = (limit: number, needed: number | undefined): number =>
  needed === undefined ? limit : Math.max(limit, needed + slack);
