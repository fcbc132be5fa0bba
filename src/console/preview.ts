/** What an act will do, and what it means for capacity: shown before anybody confirms it. Pure. */
import type { Act } from "./acts.ts";
import type { FleetView, RunView } from "./view.ts";

export interface Seen {
  fleet: FleetView;
  /** Which the act is about. */
  run: RunView | undefined;
  /** The nodes that its words name. */
  names: string[];
}

export function previewOf(act: Exclude<Act, { do: "deploy" }>, { fleet, run, names }: Seen): string[] {
  switch (act.do) {
    case "drain":
      return capacityWithout(fleet, names, "afterwards");
    case "rotate":
      return [
        `${names.length > 1 ? "one after another" : "it is"} drained, restarted, proven and put back`,
        ...capacityWithout(fleet, names.slice(0, 1), "while one is out"),
      ];
    case "ready":
      return [
        ...names.map((name) => `${name} comes back once its own check, and HAProxy's, pass anew`),
        ...capacityNow(fleet),
      ];
    case "pause": {
      const [inHand, waiting] = [inHandOf(run), waitingOf(run)];
      return [
        inHand.length > 0 ? `finished first: ${listed(inHand)}` : "no node is in hand",
        `then ${count(waiting.length, "node")} more wait until somebody goes on`,
        ...capacityNow(fleet),
      ];
    }
    case "resume": {
      const out = outOf(run);
      const skipped = act.retry ? [] : out.filter((name) => act.skip?.includes(name));
      return [
        ...(act.retry && out.length > 0 ? [`tried again first: ${listed(out)}`] : []),
        ...(skipped.length > 0
          ? [`left out as ${skipped.length === 1 ? "it is" : "they are"}: ${listed(skipped)}`]
          : []),
        `then: ${listed([...inHandOf(run), ...waitingOf(run)]) || "nothing else is left"}`,
        ...capacityNow(fleet),
      ];
    }
    case "abort": {
      const out = [...outOf(run), ...inHandOf(run)];
      return [
        out.length > 0
          ? `stays out, and is held, unless it is proven: ${listed(out)}`
          : "no node is out because of it",
        `not touched any more: ${listed(waitingOf(run)) || "none is left"}`,
        ...capacityNow(fleet),
      ];
    }
  }
}

const capacityNow = ({ places, capacity }: FleetView): string[] =>
  places.map((place, i) => {
    const [serving, all] = capacity[i] ?? [0, 0];
    return `${place}: ${serving} of ${all} serve now`;
  });

function capacityWithout(fleet: FleetView, names: string[], when: string): string[] {
  const leaving = fleet.nodes.filter(({ name }) => names.includes(name)).flatMap(({ entries }) => entries);
  return capacityNow(fleet).map((now, i) => {
    const [serving = 0] = fleet.capacity[i] ?? [];
    const fewer = leaving.filter(([at, , , , , serves]) => at === i && serves === 1).length;
    return `${now}, ${serving - fewer} ${when}${fewer > 0 && serving === fewer ? ": NOBODY" : ""}`;
  });
}

const nodesOf = (run: RunView | undefined, which: (node: RunView["nodes"][number]) => boolean): string[] =>
  run?.nodes.filter(which).map(({ name }) => name) ?? [];

const outOf = (run: RunView | undefined): string[] => nodesOf(run, ({ end }) => end === "out");

const inHandOf = (run: RunView | undefined): string[] =>
  nodesOf(run, ({ end, steps }) => end === undefined && steps.some(({ step }) => isTrip(step)));

const waitingOf = (run: RunView | undefined): string[] =>
  nodesOf(run, ({ end, steps }) => end === undefined && !steps.some(({ step }) => isTrip(step)));

/** Done while all serve: its trip has not begun. */
const isTrip = (step: string): boolean => step !== "prepare" && step !== "once";

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? "" : "s"}`;

const mostNamed = 8;

const listed = (names: string[]): string =>
  names.length <= mostNamed
    ? names.join(", ")
    : `${names.slice(0, mostNamed).join(", ")} and ${names.length - mostNamed} more`;
