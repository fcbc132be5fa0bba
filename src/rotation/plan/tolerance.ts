/** Balancers that are gone, and that a person said to go on without. */
import { RotaError } from "../../base/errors.ts";
import type { Fleet, Pool } from "../../inventory/fleet.ts";
import type { Balancers, Survey } from "../ports.ts";

/** Only one that does not answer at all can be done without: one that answers sends requests. */
export const goneAt = ({ unread }: Survey, tolerated: ReadonlySet<string>): Set<string> =>
  new Set(
    unread
      .filter(({ balancer, error }) => tolerated.has(balancer) && error.code === "BALANCER_UNREACHABLE")
      .map(({ balancer }) => balancer),
  );

/** Why the others could not be read; one that is silent may be one to go on without. */
export const unreadErrors = (
  { unread }: Survey,
  gone: ReadonlySet<string>,
  { balancers }: Fleet,
): RotaError[] =>
  unread
    .filter(({ balancer }) => !gone.has(balancer))
    .map(({ balancer, error }) => {
      if (error.code !== "BALANCER_UNREACHABLE" || balancers.length === 1) return error;
      const known = `the same with --tolerate ${balancer}, if it is known to be gone`;
      const next = error.next === undefined ? known : `${error.next}; or ${known}`;
      return new RotaError(error.code, { problem: error.message, next, cause: error });
    });

/** Nothing is asked or told there: what a node's balancers are, without those. */
export const without = (pool: Pool, gone: ReadonlySet<string>): Pool => ({
  ...pool,
  balancers: pool.balancers.filter((name) => !gone.has(name)),
});

export const sayTolerated = (tolerated: ReadonlySet<string>, gone: ReadonlySet<string>): string[] =>
  [...tolerated].map((name) =>
    gone.has(name)
      ? `${name} does not answer, and is done without (--tolerate): what it would send to a node that is out is lost`
      : `${name} answers, and takes part in spite of --tolerate`,
  );

/** What no balancer answers about can't leave in the sight of one. */
export const noneLeft = ({ name, balancers }: Pool): RotaError =>
  new RotaError("BALANCER_UNREACHABLE", {
    problem: `no balancer of ${name} answers (${balancers.join(", ")}): one at least must be asked`,
  });

/** Asked before each node leaves. @throws RotaError REFUSED where one is there again, and knows nothing of this run */
export async function stillGone(gone: string[], balancers: Balancers): Promise<void> {
  const back = await balancers.answering(gone);
  if (back.length === 0) return;
  const names = back.join(", ");
  throw new RotaError("REFUSED", {
    problem: `${names} answers again, and knows nothing of the nodes that this run has out`,
    next: `see that ${names} is well; a resume takes it along again`,
  });
}
