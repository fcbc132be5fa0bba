/** What a run will do, before anything is touched: who, in which order, and who serves meanwhile. Pure. */
import { RotaError } from "../../base/errors.ts";
import type { StepName } from "../../events/events.ts";
import { redactor } from "../../base/redact.ts";
import type { Fleet, Node, Pool, Share } from "../../inventory/fleet.ts";
import { type Batches, backendsByName, inBatches } from "./batches.ts";
import type { Drift } from "./drift.ts";
import { entriesOfNode, neighboursIn, placeOf } from "./entries.ts";
import { followersOf } from "./followers.ts";
import { asFound } from "../leave.ts";
import type { Part, TakesPart } from "./participation.ts";
import { sayPlace } from "../place.ts";
import type { Entry, Survey } from "../ports.ts";
import type { Absence } from "../records.ts";
import { type NodeRelease, folderOf } from "../release/release.ts";
import type { Neighbour } from "../soak/soak.ts";
import { goneAt, noneLeft, sayTolerated, unreadErrors, without } from "./tolerance.ts";
import type { Trip, WayBack } from "../world.ts";

export interface PlanOptions {
  /** Nodes that the words of the command line chose, in the order of the file. */
  nodes: Node[];
  /** Who of them takes part. */
  part: (node: Node, entries: Entry[], absence: Absence | undefined) => Part;
  errand: Errand;
  /** These win over the pool's own. */
  batch?: Share[] | undefined;
  minServing?: Share | undefined;
  maxFailures?: number | undefined;
  /** Past the capacity guard. */
  force: boolean;
  /** Of a run that goes on: what it was given stays. */
  goesOn?: boolean | undefined;
  /** The command that shows the fleet, as a person can paste it. */
  status?: string | undefined;
  /** Balancers that a person said to go on without, where they don't answer. */
  tolerated?: ReadonlySet<string> | undefined;
  /** Steps of a node that an earlier try has done for good. */
  done?: ((node: Node) => ReadonlySet<StepName>) | undefined;
  /** Whether what is done once in this pool is done. */
  onceDone?: ((pool: Pool) => boolean) | undefined;
  /** Nodes that this run has put back already. */
  doneBefore?: ((node: Node) => boolean) | undefined;
  variablesOf: (pool: Pool, node: Node) => { variables: Record<string, string>; secrets: string[] };
  /** What a deploy brings to the node itself. */
  releaseOf?: ((node: Node) => NodeRelease | undefined) | undefined;
  /** How a node goes back by itself where its workers can't run the new release. */
  wayBackOf?: ((node: Node) => WayBack | undefined) | undefined;
}

/** What each node's trip is for. */
export interface Errand {
  upgrade: boolean;
  /** Something is done on the node itself, so that its host must be reached. */
  hostNeeded: boolean;
  /** The node stays out when its trip has ended. */
  hold: { until: Date | undefined } | undefined;
}

export interface Plan {
  pools: PoolPlan[];
  leftAlone: { node: string; why: string }[];
  /** Where the inventory and the balancers, or the balancers among themselves, differ. */
  drift: Drift[];
  /** Balancers that this plan does without. */
  gone: string[];
  /** What a person should know of this plan, and that does not refuse it. */
  notes: string[];
  /** Nodes that may fail in the whole run. */
  maxFailures: number;
  /** Why this plan can't be carried out; empty if it can. */
  refusals: RotaError[];
}

export interface PoolPlan extends Omit<Batches, "lacks"> {
  pool: Pool;
  /** Nodes that serve and that this run has not worked on yet: a batch that soaks is compared with them. */
  neighbours: Neighbour[];
  /** What is still to be done on its first node, before that leaves. */
  once: string | undefined;
}

/** All trips of a plan, in order. */
export const tripsOf = ({ pools }: Plan): Trip[] =>
  pools.flatMap(({ batches }) => batches.flatMap(({ trips }) => trips));

export function makePlan(
  fleet: Fleet,
  survey: Survey,
  absences: Map<string, Absence>,
  options: PlanOptions,
): Plan {
  const maxFailures = options.maxFailures ?? Infinity;
  const { tolerated = new Set() } = options;
  const gone = goneAt(survey, tolerated);
  const refusals = unreadErrors(survey, gone, fleet);
  const isUnread = refusals.length > 0;
  const notes = sayTolerated(tolerated, gone);
  const plan: Plan = { pools: [], leftAlone: [], drift: [], gone: [...gone], notes, maxFailures, refusals };
  const missing: string[] = [];
  const lacking: string[] = [];
  // One for all pools: those that share a backend share what it can spare.
  const backends = backendsByName(survey.backends);
  const knowing = { absences, run: undefined };
  const chosen = new Set(options.nodes.map(({ name }) => name));
  for (const whole of fleet.pools.map((p) => withOptions(p, options))) {
    const pool = without(whole, gone);
    const trips: Trip[] = [];
    const unchecked: Entry[] = [];
    for (const node of pool.nodes.filter(({ name }) => chosen.has(name))) {
      const { entries, lacks } = entriesOfNode(fleet, pool, node, survey);
      missing.push(...lacks);
      const absence = absences.get(node.name);
      const part = options.part(node, entries, absence);
      if (part.takesPart) {
        trips.push(startTrip({ pool, node, entries, absence }, part, survey, options));
        unchecked.push(...entries.filter(({ checked, tracks }) => !checked && tracks === undefined));
      } else plan.leftAlone.push({ node: node.name, why: part.why });
    }
    if (trips.length === 0) continue;
    if (gone.size > 0 && pool.balancers.length === 0) plan.refusals.push(noneLeft(whole));
    if (pool.statusPage && unchecked.length > 0) plan.refusals.push(noChecks(unchecked));
    if (pool.rollout.pipeline && pool.rollout.soak === 0) plan.notes.push(overtakesNothing(pool));
    const { lacks, ...batches } = inBatches(pool, trips, backends, { ...options, knowing });
    lacking.push(...lacks);
    const neighbours = neighboursIn(fleet, pool, survey, options);
    const once = options.errand.upgrade && !options.onceDone?.(pool) ? pool.once?.run : undefined;
    plan.pools.push({ pool, ...batches, neighbours, once });
  }
  if (missing.length > 0)
    plan.refusals.push(new RotaError("SERVER_MISSING", { problem: missing.join("\n"), next: toName }));
  if (lacking.length > 0 && !isUnread) {
    const problem = `too few would serve:\n${lacking.map((lack) => `  ${lack}`).join("\n")}`;
    const lower = options.errand.upgrade ? "lower --min-serving, " : "";
    const past = options.goesOn ? "then the same again" : `${lower}or --force past this guard`;
    const next = `bring servers back first (${options.status ?? "rota status"}), ${past}`;
    plan.refusals.push(new RotaError("CAPACITY", { problem, next }));
  }
  return plan;
}

const overtakesNothing = ({ name }: Pool): string =>
  `${name}: rollout.pipeline changes nothing without rollout.soak`;

const toName =
  "add the server there, or say its name in server: or backends: of the inventory; then the same again";

const withOptions = (pool: Pool, { batch, minServing, maxFailures }: PlanOptions): Pool => ({
  ...pool,
  rollout: {
    ...pool.rollout,
    batch: batch ?? pool.rollout.batch,
    minServing: minServing ?? pool.rollout.minServing,
    maxFailures: maxFailures ?? pool.rollout.maxFailures,
  },
});

interface Start {
  pool: Pool;
  node: Node;
  entries: Entry[];
  absence: Absence | undefined;
}

function startTrip(
  { pool, node, entries, absence }: Start,
  part: TakesPart,
  survey: Survey,
  { errand, variablesOf, releaseOf, wayBackOf, done }: PlanOptions,
): Trip {
  const { variables, secrets } = variablesOf(pool, node);
  const release = errand.upgrade ? releaseOf?.(node) : undefined;
  const before = done?.(node) ?? new Set();
  return {
    node,
    pool,
    standing: part.standing,
    note: part.note,
    absence,
    entries,
    places: entries.map(placeOf),
    followers: followersOf(entries, survey.entries),
    found: part.found ?? entries.map(asFound),
    hold: errand.hold,
    stays: pool.stays && part.standing === "serving" && errand.hostNeeded && !errand.hold,
    hostNeeded: errand.hostNeeded || toldOnHost(pool),
    variables: release ? { ...variables, ROTA_RELEASE_DIR: folderOf(release) } : variables,
    done: stillDone(before, part, pool, errand),
    prepare: errand.upgrade ? pool.prepare : undefined,
    release,
    wayBack: wayBackOf?.(node),
    // A link may have been moved since; commands that are done are not done again with it.
    upgrade: errand.upgrade && !(release && before.has("upgrade")) ? pool.upgrade?.run : undefined,
    reached: "untouched",
    ranBefore: undefined,
    pageWasOut: false,
    gaveUp: undefined,
    outSince: undefined,
    inSince: undefined,
    company: undefined,
    countedBefore: [],
    lastLines: [],
    redact: redactor(secrets),
  };
}

/** That it is back counts only as long as it serves; and where it is not watched, its trip is done to the end again. */
function stillDone(
  done: ReadonlySet<StepName>,
  { standing }: TakesPart,
  { rollout, release }: Pool,
  { hostNeeded }: Errand,
): ReadonlySet<StepName> {
  const isWatched = standing === "serving" && hostNeeded && rollout.soak > 0;
  const again = [isWatched ? "" : "ready", release ? "upgrade" : ""]; // a link may be moved since
  return new Set([...done].filter((name) => !again.includes(name)));
}

/** Its page is told by a command over SSH. */
const toldOnHost = ({ statusPage: page }: Pool): boolean =>
  page !== undefined && ("run" in page.out || "run" in page.in);

const noChecks = (entries: Entry[]): RotaError =>
  new RotaError("BALANCER_ANSWER", {
    problem: `${entries.map(sayPlace).join(", ")}: HAProxy runs no check there, so no status page can take it out`,
    next: "add check to its server line, or take that backend out of the pool's backends; then the same again",
  });
