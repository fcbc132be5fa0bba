/** Who takes part in a run, and why a node is left alone. Pure. */
import type { Absence, Entry } from "./ports.ts";
import type { Standing } from "./world.ts";

export interface Choice {
  /** A person wrote this node's name on the command line. */
  named: boolean;
  includeDown: boolean;
  includeHeld: boolean;
}

export type Part = { takesPart: true; standing: Standing; note?: string } | { takesPart: false; why: string };

export function partOf(entries: Entry[], absence: Absence | undefined, choice: Choice): Part {
  const out = entries.filter((entry) => entry.outBecause !== undefined);
  const partly =
    out.length > 0 && out.length < entries.length
      ? `; in on ${where(entries.filter((e) => !e.outBecause))}`
      : "";
  if (absence?.kind === "hold")
    return held(choice, `held by ${absence.by}${because(absence)}${servedAnyway(entries)}`);
  if (out.length === 0) return { takesPart: true, standing: "serving" };
  if (absence?.kind === "run")
    return { takesPart: true, standing: "ours", note: `left out by run ${absence.run}` };
  const byPerson = out.filter((entry) => entry.outBecause === "person");
  if (byPerson.length > 0) return held(choice, `taken out by somebody else: ${sayStates(byPerson)}${partly}`);
  const why = `${sayStates(out)}${partly}`;
  if (choice.named || choice.includeDown) return { takesPart: true, standing: "down", note: why };
  return { takesPart: false, why: `${why}; name it, or --include-down, to deploy it too` };
}

const held = ({ includeHeld }: Choice, why: string): Part =>
  includeHeld
    ? { takesPart: true, standing: "held", note: `${why}; stays out` }
    : { takesPart: false, why: `${why}; --include-held to deploy it and leave it out` };

const because = ({ reason }: Absence): string => (reason === undefined ? "" : ` (${reason})`);

function servedAnyway(entries: Entry[]): string {
  const serving = entries.filter((entry) => entry.outBecause === undefined);
  return serving.length === 0 ? "" : `, but IN ROTATION on ${where(serving)}`;
}

const where = (entries: Entry[]): string => entries.map((e) => `${e.balancer}/${e.backend}`).join(", ");

/** "lb1/app DOWN (L4CON Connection refused), lb2/app DRAIN" */
const sayStates = (entries: Entry[]): string =>
  entries
    .map(
      (e) =>
        `${e.balancer}/${e.backend} ${e.status}${e.weight === 0 ? " weight 0" : ""}${e.outBecause === "health" && e.lastCheck ? ` (${e.lastCheck})` : ""}`,
    )
    .join(", ");
