import type { TestContext } from "vitest";
import { haproxyVersion } from "./haproxy-binary.ts";

/** One row of the table in docs/haproxy.md, as seen on the HAProxy that the lab runs. */
export interface Case {
  /** What was tried, in a user's words: "a rotation while both balancers are reloaded". */
  name: string;
  /** Exact: "2.6.12-1+deb12u3". */
  haproxy: string;
  /** Requests, where a load ran. */
  sent?: number;
  lost?: number;
  /** In a few words, where there is more to say than a count, or where versions differ: "60 clients got a 502". */
  saw?: string;
}

declare module "vitest" {
  interface TaskMeta {
    /** For docs/haproxy.md. */
    cases?: Case[];
  }
}

/**
 * Puts a row into the table of docs/haproxy.md: what was tried and, for the version that the lab runs, what was seen.
 * Called in a test, before it expects anything of the numbers, so that a failure shows them too:
 *
 *     test("…", async ({ task }) => {
 *       …
 *       const report = await load.stop();
 *       reportCase(task, "a deploy while a balancer is reloaded", report);
 *       expect(report).toMatchObject({ lost: 0 });
 *
 * `seen` is a load's report, or any of `{ sent, lost, saw }`; without it the row says only whether the test passed.
 * The name is the row, so it is the same on every version and unlike every other. A test may report several cases. One
 * that is reported again, as by the second attempt of a test, adds its requests to those before: no loss is forgotten.
 * `scripts/chaos versions` runs the tests and makes the table, its rows in the order of files and tests. In a test of many
 * values, `test.for` hands over the context, `test.each` does not: test.for(values)("…", async (value, { task }) => …).
 */
export function reportCase(
  task: TestContext["task"],
  name: string,
  seen: Pick<Case, "sent" | "lost" | "saw"> = {},
): void {
  const cases = (task.meta.cases ??= []);
  let one = cases.find((other) => other.name === name);
  if (!one) cases.push((one = { name, haproxy: haproxyVersion() }));
  if (seen.sent !== undefined) one.sent = (one.sent ?? 0) + seen.sent;
  if (seen.lost !== undefined) one.lost = (one.lost ?? 0) + seen.lost;
  if (seen.saw !== undefined) one.saw = seen.saw;
}
