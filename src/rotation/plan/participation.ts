/** Who takes part in a run, and why a node is left alone. Pure. */
import { asFound } from "../leave.ts";
import { samePlace } from "../place.ts";
import type { Entry } from "../ports.ts";
import type { Absence, Found } from "../records.ts";
import type { Standing } from "../world.ts";

export interface Choice {
  /** A person wrote this node's name on the command line. */
  named: boolean;
  includeDown: boolean;
  includeHeld: boolean;
}

export interface TakesPart {
  takesPart: true;
  standing: Standing;
  /** How its places are to be left, where that is not how they are now. */
  found?: Found[];
  note?: string;
}

export type Part = TakesPart | { takesPart: false; why: string };

/** For a deploy or a rotation. */
export function partOf(entries: Entry[], absence: Absence | undefined, choice: Choice): Part {
  if (absence?.kind === "hold") return held(choice, `${sayHold(absence)}${servedAnyway(entries)}`);
  const out = entries.filter(isOut);
  const nobodyAsked = entries.length === 0;
  const inPart = absence !== undefined && isBackInPart(entries, absence);
  if (out.length === 0 && !(absence && (nobodyAsked || inPart)))
    return { takesPart: true, standing: "serving" };
  if (absence) {
    const was = inPart && out.length === 0 ? "was on its way back in" : "was left out by";
    const note = `${was} run ${absence.run}; goes first, back when proven`;
    return { takesPart: true, standing: "ours", found: foundBefore(entries, absence), note };
  }
  const byPerson = out.filter((entry) => entry.outBecause === "person");
  if (byPerson.length > 0)
    return held(choice, `taken out by somebody else: ${sayStates(byPerson)}${servedElsewhere(entries)}`);
  const why = `${sayStates(out)}${servedElsewhere(entries)}`;
  if (choice.named || choice.includeDown)
    return { takesPart: true, standing: "down", note: `is down (${why}); goes first, back when proven` };
  return { takesPart: false, why: `${why}; name it, or --include-down, to take it along` };
}

/** For a drain by hand: a node that we hold already is told again; what somebody else took out is theirs. */
export function partToDrain(entries: Entry[], absence: Absence | undefined): Part {
  if (absence) {
    const note = `${sayAbsence(absence)}; told again`;
    return { takesPart: true, standing: "ours", found: foundBefore(entries, absence), note };
  }
  const byPerson = entries.filter((entry) => entry.outBecause === "person");
  if (byPerson.length > 0 && entries.every(isOut))
    return { takesPart: false, why: `out already, by somebody else: ${sayStates(byPerson)}` };
  if (byPerson.length > 0)
    return {
      takesPart: true,
      standing: "held",
      note: `is out in part, by somebody else: ${sayStates(byPerson)}`,
    };
  if (!entries.some(isOut)) return { takesPart: true, standing: "serving" };
  return { takesPart: true, standing: "down", note: `is down already (${sayStates(entries.filter(isOut))})` };
}

/**
 * For a return by hand: whoever took it out, a person now says that it comes back.
 *
 * @param byPage it leaves by its own page, which a person may hold out: then the checks alone don't bring it back
 */
export function partToReady(entries: Entry[], absence: Absence | undefined, byPage: boolean): Part {
  const out = entries.filter(isOut);
  const nobodyAsked = entries.length === 0;
  if (out.length === 0 && !absence && !nobodyAsked) return { takesPart: false, why: "in rotation already" };
  if (!absence && !byPage && out.every((entry) => isByCheck(entry) || isByAgent(entry))) {
    const who = out.some(isByAgent)
      ? "the agent that HAProxy asks brings it back"
      : "HAProxy's own checks bring it back";
    return { takesPart: false, why: `${sayStates(out)}; nobody took it out: ${who}` };
  }
  const before = absence ? foundBefore(entries, absence) : entries.map(asFound);
  const found = before.map((place): Found => ({ ...place, admin: "ready" }));
  return {
    takesPart: true,
    standing: "ours",
    found,
    note: absence
      ? sayAbsence(absence)
      : nobodyAsked
        ? "is where no balancer can be asked; its page is told in all the same"
        : `is ${sayStates(out)}`,
  };
}

/** It serves, and its weight is a step of a ramp, or its agent is not asked yet. */
const isBackInPart = (entries: Entry[], { found }: Absence): boolean =>
  found.some((place) => {
    const now = entries.find((entry) => samePlace(place, entry));
    return place.stepped || (place.agent && now && !now.agent);
  });

/** How the node's places were when it left; one that came since is as it is, and one that went is forgotten. */
const foundBefore = (entries: Entry[], { found }: Absence): Found[] =>
  entries.map((entry) => found.find((place) => samePlace(place, entry)) ?? asFound(entry));

const held = ({ includeHeld }: Choice, why: string): Part =>
  includeHeld
    ? { takesPart: true, standing: "held", note: `${why}; stays out` }
    : { takesPart: false, why: `${why}; --include-held to take it along and leave it out` };

const sayAbsence = (absence: Absence): string =>
  absence.kind === "hold" ? sayHold(absence) : `left out by run ${absence.run}`;

const sayHold = ({ by, reason }: Absence): string =>
  `held by ${by}${reason === undefined ? "" : ` (${reason})`}`;

const isByCheck = (entry: Entry): boolean => entry.outBecause === "health" && entry.admin === "ready";
const isByAgent = (entry: Entry): boolean => entry.agent === "down" && entry.admin === "ready";

const isOut = (entry: Entry): boolean => entry.outBecause !== undefined;

const serving = (entries: Entry[]): string =>
  entries
    .filter((entry) => !isOut(entry))
    .map((e) => `${e.balancer}/${e.backend}`)
    .join(", ");

/** Out in one entry, in in another: it counts as out, and both are named. */
const servedElsewhere = (entries: Entry[]): string => (serving(entries) ? `; in on ${serving(entries)}` : "");

const servedAnyway = (entries: Entry[]): string =>
  serving(entries) ? `, but IN ROTATION on ${serving(entries)}` : "";

/** "lb1/app DOWN (L4CON Connection refused), lb2/app DRAIN" */
export const sayStates = (entries: Entry[]): string =>
  entries
    .map((e) => {
      const weight = e.weight === 0 ? " weight 0" : "";
      const check = e.outBecause === "health" && e.lastCheck ? ` (${e.lastCheck})` : "";
      return `${e.balancer}/${e.backend} ${e.status}${weight}${check}`;
    })
    .join(", ");
