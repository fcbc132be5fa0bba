import { RotaError, messageOf } from "../base/errors.ts";
import type { Plan } from "../rotation/plan.ts";

export const untouched = "nothing was touched";

/** @throws RotaError that lists every reason why the plan can't be carried out */
export function refuse({ refusals }: Plan): void {
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
