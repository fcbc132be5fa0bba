/** HAProxy's branches: how long each gets fixes, as haproxy.org has it. */
import type { Finding, Say } from "./findings.ts";

/** The end of the quarter: the first day after it. */
const fixedUntil: Record<string, string> = {
  "2.0": "2024-07-01",
  "2.2": "2025-07-01",
  "2.4": "2026-07-01",
  "2.6": "2027-07-01",
  "2.8": "2028-07-01",
  "2.9": "2025-04-01",
  "3.0": "2029-07-01",
  "3.1": "2026-04-01",
  "3.2": "2030-07-01",
  "3.3": "2027-04-01",
};

/** What the tests ran on; see docs/haproxy.md. */
const tried = ["2.6", "3.0", "3.2"];

export function judgeVersion(version: string, today: Date, say: Say): Finding {
  const [, branch = "", patch = ""] = /^(\d+\.\d+)(?:[.-](\w+))?/.exec(version) ?? [];
  const upgrade = `an upgrade to a branch with long support, on which rota was tried: ${tried.join(", ")}`;
  if (patch.startsWith("dev"))
    return say.warn("balancer-version", `runs HAProxy ${version}, a development version`, upgrade);
  if (version.startsWith("3.4.0"))
    return say.warn(
      "balancer-version",
      "runs HAProxy 3.4.0: requests that are queued for a server are all sent to it at once when it is drained",
      "an upgrade within 3.4",
    );
  const until = fixedUntil[branch];
  if (until !== undefined && new Date(until) <= today)
    return say.warn(
      "balancer-version",
      `runs HAProxy ${version}: its branch gets no fixes since ${until}, unless your distribution makes them`,
      upgrade,
    );
  if (!tried.includes(branch))
    return say.warn(
      "balancer-version",
      `runs HAProxy ${version}, on which rota was not tried`,
      `a look at docs/haproxy.md, and a first rotation of one node; or ${upgrade}`,
    );
  return say.ok("balancer-version", `runs HAProxy ${version}, which gets fixes until ${until}`);
}
