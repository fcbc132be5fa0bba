import { RotaError, messageOf } from "../base/errors.ts";
import type { Plan } from "../rotation/plan/plan.ts";
import { commandLine, inventoryArgs } from "./words.ts";

export const untouched = "nothing was touched";

/** @throws RotaError that lists every reason why what was planned can't be carried out */
export function refuse({ refusals }: Pick<Plan, "refusals">): void {
  const [first] = refusals;
  if (!first) return;
  const next = [...new Set(refusals.flatMap((refusal) => refusal.next ?? []))].slice(0, 3).join("; and ");
  throw new RotaError(first.code, {
    problem: refusals.map(messageOf).join("\n"),
    left: untouched,
    ...(next ? { next } : {}),
    cause: first,
  });
}

/** What was decided about a run may not be true any more. */
export const wentOn = (run: string, inventory: string | undefined): RotaError =>
  new RotaError("REFUSED", {
    problem: `somebody else went on with run ${run} meanwhile`,
    left: untouched,
    next: commandLine(["show", run, ...inventoryArgs(inventory)]),
  });
