/** Whether a rollout that stopped is to be undone (`rollout.on_failure`). Pure. */
import { type ErrorCode, RotaError } from "../base/errors.ts";
import type { RolloutEnd } from "./rollout.ts";
import type { TripEnd } from "./trip-end.ts";

/** Of a node that runs the new release: what else may go wrong then is a balancer's, the journal's or a person's doing. */
const byTheRelease: ErrorCode[] = [
  "COMMAND_FAILED",
  "COMMAND_UNKNOWN",
  "RESTART_UNPROVEN",
  "RELEASE_OLD",
  "NODE_DOWN",
  "WAIT_LIMIT",
  "SOAK_WORSE",
  "HOOK_FAILED",
];

/** An outage of something else, or a node that was never upgraded, undoes no release that is good so far. */
export const isToUndo = ({ ended, stoppedIn }: RolloutEnd): boolean =>
  stoppedIn?.rollout.onFailure === "rollback" && ended.some(isOfRelease);

const isOfRelease = ({ trip: { reached }, failure }: TripEnd): boolean =>
  failure instanceof RotaError &&
  byTheRelease.includes(failure.code) &&
  ["changed", "proven", "back"].includes(reached);
