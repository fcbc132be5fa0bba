/** How a pool's nodes leave, and whether what that needs is there. */
import { parseDuration } from "../base/duration.ts";
import type { Draft, Entry } from "./draft.ts";
import type { Finding, Path } from "./problems.ts";
import { parseAddress } from "./socket.ts";

export function checkWays(draft: Draft): Finding[] {
  const pools = draft.entries(["pools"]);
  const byRuntime = pools.filter((pool) => !leavesByPage(draft, pool));
  const noBalancers = draft.at(["balancers"]) === undefined;
  return [
    ...pools.filter((pool) => stays(draft, pool)).flatMap((pool) => checkStaying(draft, pool, noBalancers)),
    ...(noBalancers && byRuntime.some((pool) => !stays(draft, pool))
      ? [{ path: ["balancers"], on: "value" as const, text: "is missing" }]
      : []),
    ...byRuntime.flatMap((pool) => [...checkRuntime(draft, pool), ...checkRamp(draft, pool)]),
    ...pools
      .filter((pool) => !byRuntime.includes(pool))
      .flatMap((pool) => checkPage(draft, pool, noBalancers)),
  ];
}

const viaOf = ({ path }: Entry): Path => [...path, "drain", "via"];

const leavesByPage = (draft: Draft, pool: Entry): boolean => draft.at(viaOf(pool)) === "status-page";

const stays = (draft: Draft, pool: Entry): boolean => draft.at(viaOf(pool)) === "none";

/** What serves while it is worked on must go on serving, and does not come back. */
function checkStaying(draft: Draft, pool: Entry, noBalancers: boolean): Finding[] {
  const [via, how] = ["via", "how"].map((key) => draft.at([...pool.path, "restart", key]));
  const keepsServing =
    via === "none" ||
    (via === "gunicorn" && how === "workers") ||
    (via === "uwsgi" && (how === undefined || how === "workers" || how === "chain"));
  const text =
    "is for a restart that keeps serving: restart: { via: gunicorn, how: workers, … }, { via: uwsgi, … } (not how: reload), or { via: none }; write runtime";
  const ramp = [...pool.path, "ready", "ramp"];
  return [
    ...(keepsServing ? [] : [{ path: viaOf(pool), on: "value" as const, text }]),
    ...(draft.at(ramp) === undefined
      ? []
      : [{ path: ramp, on: "key" as const, text: "is for a node that leaves, and comes back in steps" }]),
    ...(noBalancers ? checkSoak(draft, pool) : []),
  ];
}

function checkRuntime(draft: Draft, { path }: Entry): Finding[] {
  const pages = draft
    .entries(["balancers"])
    .filter(({ value }) => typeof value === "string" && parseAddress(value)?.kind === "http")
    .map(({ key }) => key);
  const named = draft.texts([...path, "balancers"]);
  const unfit = pages.filter((name) => named?.includes(name) ?? true);
  const text = `${unfit.join(", ")} is a statistics page, and read only; `;
  const hint = named ? "" : "name the other balancers here, or ";
  const readOnly: Finding = {
    path: named ? [...path, "balancers"] : path,
    on: named ? "value" : "key",
    text: `${text}${hint}write drain: { via: status-page } with a status_page`,
  };
  const unused = draft.at([...path, "status_page"]) !== undefined;
  return [
    ...(unfit.length > 0 ? [readOnly] : []),
    ...(unused
      ? [
          {
            path: [...path, "status_page"],
            on: "key" as const,
            text: "is only for drain: { via: status-page }",
          },
        ]
      : []),
  ];
}

const cutNeedsRuntime =
  "cut is for drain: { via: runtime }: with via: status-page balancers are only read; write stop or go-on";

const checkRamp = (draft: Draft, pool: Entry): Finding[] => {
  const [ramp, every] = ["ramp", "every"].map((key) => [...pool.path, "ready", key]);
  if (!ramp || !every || draft.at(every) === undefined || draft.at(ramp) !== undefined) return [];
  return [{ path: every, on: "key", text: "is how long each step of a ramp lasts, and there is no ramp" }];
};

/** Weights are set at the runtime socket. */
function rampByPage(draft: Draft, pool: Entry): Finding[] {
  const keys = ["ramp", "every"].filter((key) => draft.at([...pool.path, "ready", key]) !== undefined);
  const text = "can't be with drain: { via: status-page }: weights are set at HAProxy's runtime socket";
  return keys.map((key) => ({ path: [...pool.path, "ready", key], on: "key", text }));
}

function checkPage(draft: Draft, pool: Entry, noBalancers: boolean): Finding[] {
  const path = [...pool.path, "status_page"];
  if (draft.at(path) === undefined) {
    const text =
      'needs status_page: { out: "touch out-of-rotation", in: "rm -f out-of-rotation" } in the pool';
    return [{ path: viaOf(pool), on: "value", text }];
  }
  const missing = noBalancers
    ? ["inter", "fall", "rise"].filter((key) => draft.at([...path, key]) === undefined)
    : [];
  const check = [...pool.path, "check"];
  const atLimit = [...pool.path, "drain", "at_limit"];
  const cut = draft.at(atLimit) === "cut";
  const same = (draft.at([...check, "while_out"]) ?? 404) === (draft.at([...check, "status"]) ?? 200);
  return [
    ...(cut ? [{ path: atLimit, on: "value" as const, text: cutNeedsRuntime }] : []),
    ...rampByPage(draft, pool),
    ...(noBalancers ? checkSoak(draft, pool) : []),
    ...missing.map((key): Finding => {
      const text =
        "is missing; no balancer can be asked, so HAProxy's check must be known to wait long enough";
      return { path: [...path, key], on: "value", text };
    }),
    ...(same
      ? [
          {
            path: [...check, "status"],
            on: "value" as const,
            text: "is what the page answers while it is out, too",
          },
        ]
      : []),
  ];
}

/** What is watched are counters of the balancers. */
function checkSoak(draft: Draft, pool: Entry): Finding[] {
  const path = [...pool.path, "rollout", "soak"];
  const soak = draft.at(path);
  if (typeof soak !== "string" || (parseDuration(soak) ?? 0) === 0) return [];
  const text = "is not possible: no balancer can be asked what it counts for the nodes";
  return [{ path, on: "value", text }];
}
