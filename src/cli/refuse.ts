import { type ErrorCode, RotaError, messageOf } from "../base/errors.ts";
import type { Plan } from "../rotation/plan/plan.ts";
import { commandLine, inventoryArgs } from "./words.ts";

export const untouched = "nothing was touched";

const shownOfEach = 8;

/** @throws RotaError that lists every reason why what was planned can't be carried out */
export function refuse({ refusals }: Pick<Plan, "refusals">, inventory?: string): void {
  const [first] = refusals;
  if (!first) return;
  // One a line, in the order of the problems.
  const advice = [...new Set(refusals.flatMap((refusal) => refusal.next ?? []))];
  const more = advice.length - shownOfEach;
  const next = [...advice.slice(0, shownOfEach), ...(more > 0 ? [`and ${more} more like these`] : [])].join(
    "\n",
  );
  throw new RotaError(first.code, {
    problem: problemsOf(refusals, inventory).join("\n"),
    left: untouched,
    ...(next ? { next } : {}),
    cause: first,
  });
}

/** Where a key is missing, every host of a thousand says so: some of each kind, and how many more. */
function problemsOf(refusals: RotaError[], inventory: string | undefined): string[] {
  const of = new Map<ErrorCode, number>();
  const shown = refusals.filter(({ code }) => {
    const before = of.get(code) ?? 0;
    of.set(code, before + 1);
    return before < shownOfEach;
  });
  const doctor = commandLine(["doctor", ...inventoryArgs(inventory)]);
  const rest = [...of].flatMap(([code, all]) =>
    all > shownOfEach ? [`and ${all - shownOfEach} more with ${code}: ${doctor} looks at each`] : [],
  );
  return [...shown.map(messageOf), ...rest];
}

/** What was decided about a run may not be true any more. */
export const wentOn = (run: string, inventory: string | undefined): RotaError =>
  new RotaError("REFUSED", {
    problem: `somebody else went on with run ${run} meanwhile`,
    left: untouched,
    next: commandLine(["show", run, ...inventoryArgs(inventory)]),
  });
