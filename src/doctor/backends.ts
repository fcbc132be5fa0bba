/** What is to be said of the backends that the fleet's nodes are in: options of HAProxy that will hurt a rotation. Pure. */
import { sayDuration } from "../base/duration.ts";
import { RotaError } from "../base/errors.ts";
import type { BackendFacts, BalancerFacts, Seen, ServerFacts } from "./balancer-facts.ts";
import { type Finding, type Say, about } from "./findings.ts";
import type { BackendConfig } from "./haproxy-config.ts";

/** Which servers are the fleet's, and what its pool wants of them. */
export interface Wanted {
  backend: string;
  servers: string[];
  /** Nodes come back in steps of weight. */
  ramp: boolean;
  /** The shortest of its pools; 0 for none. Milliseconds. */
  soak: number;
}

interface OneBackend {
  wanted: Wanted;
  servers: ServerFacts[];
  facts: BackendFacts;
  config: BackendConfig | undefined;
  say: Say;
}

export function judgeBackends({ name, seen }: BalancerFacts, wanted: Wanted[]): Finding[] {
  if (seen instanceof RotaError) return [];
  return wanted.flatMap((one) => {
    const facts = seen.backends.find(({ backend }) => backend === one.backend);
    if (!facts) return [];
    const servers = seen.servers.filter((s) => s.backend === one.backend && one.servers.includes(s.server));
    const say = about("balancers", `${name}/${one.backend}`);
    const backend = { wanted: one, servers, facts, config: configOf(seen, one.backend), say };
    return judges.flatMap((judge) => judge(backend));
  });
}

const configOf = ({ config }: Seen, backend: string): BackendConfig | undefined =>
  typeof config === "string" ? undefined : config.backends.get(backend);

const judges: ((backend: OneBackend) => Finding[])[] = [
  checks,
  inter,
  agents,
  tracked,
  persistence,
  redispatch,
  algorithm,
  slowstart,
  queue,
];

function checks({ servers, say }: OneBackend): Finding[] {
  const bare = servers.filter(({ checked, tracks }) => !checked && tracks === "");
  if (bare.length === 0)
    return servers.length > 0 ? [say.ok("backend-checks", "HAProxy checks every server")] : [];
  return [
    say.warn(
      "backend-checks",
      `HAProxy does not check ${some(bare)}: it sends requests there whether the app lives or not, and only rota's own check proves it`,
      'write "check" on the server lines, and an "option httpchk"',
    ),
  ];
}

/** Milliseconds: a fresh pass of checks is what a node waits for before it is back. */
const longInter = 10_000;

function inter({ config, servers, say }: OneBackend): Finding[] {
  const next = "inter 2s or so; with fastinter for the time in which a server changes";
  const longest = Math.max(0, ...servers.map(({ server }) => config?.servers.get(server)?.inter ?? 0));
  if (longest <= longInter) return [];
  return [
    say.warn(
      "backend-inter",
      `it checks each ${sayDuration(longest)}: so long a dead server gets requests, and so long a node waits for its proof`,
      next,
    ),
  ];
}

function agents({ servers, say }: OneBackend): Finding[] {
  const asked = servers.filter(({ agent }) => agent);
  if (asked.length === 0) return [];
  const text = `it asks an agent about ${some(asked)}, whose answer can undo a drain: while a node is out rota has it not asked`;
  return [say.warn("backend-agent", text, "an agent that answers neither ready nor up, unless it must")];
}

function tracked({ servers, say }: OneBackend): Finding[] {
  const follow = servers.filter(({ tracks }) => tracks !== "");
  if (follow.length === 0) return [];
  return [
    say.ok("backend-tracked", `${follow.length} of its servers follow others (track): they leave with those`),
  ];
}

function persistence({ config, facts, say }: OneBackend): Finding[] {
  const limit = "maxidle and maxlife on the cookie line, or expire on the stick-table line";
  const found: Finding[] = [];
  if (config?.persist)
    found.push(
      say.bad(
        "backend-persistence",
        'it has "option persist": clients that are bound to a server reach it even in maint, while it is upgraded',
        'take "option persist" out; "option redispatch" sends them elsewhere',
      ),
    );
  if (config?.cookie && !config.cookie.ends)
    found.push(
      say.warn(
        "backend-persistence",
        boundBy(`the cookie ${config.cookie.name}`, "and it never ends"),
        limit,
      ),
    );
  else if (!config && facts.cookie !== "")
    found.push(
      say.unseen("backend-persistence", boundBy(`the cookie ${facts.cookie}`, "whether it ends"), limit),
    );
  if (config?.stick && config.stick.expires === false)
    found.push(
      say.warn("backend-persistence", boundBy("a stick table", "and its entries never expire"), limit),
    );
  return found;
}

const boundBy = (what: string, end: string): string =>
  `clients are bound to a server by ${what}: they keep a drained node busy until drain.within is over, and then are sent elsewhere; ${end}`;

function redispatch({ config, say }: OneBackend): Finding[] {
  if (!config) return [];
  if (config.redispatch)
    return [say.ok("backend-redispatch", "a request whose server is gone goes to another one")];
  return [
    say.warn(
      "backend-redispatch",
      "option redispatch is off: a request that is queued for a server, or bound to it, is not sent elsewhere when that goes",
      'write "option redispatch" in the backend or its defaults',
    ),
  ];
}

/** Others work by fixed tables, or may (hash-type map-based): those take no weight but 0 and 100 %. */
const weighed = ["roundrobin", "leastconn", "random"];

function algorithm({ facts, wanted, say }: OneBackend): Finding[] {
  if (!wanted.ramp || weighed.includes(facts.algorithm)) return [];
  const next = "balance roundrobin or leastconn; or no ready.ramp";
  if (facts.algorithm === "")
    return [say.unseen("backend-algorithm", "whether it takes weights, as ready.ramp needs", next)];
  const may =
    facts.algorithm === "static-rr" || facts.algorithm === "first"
      ? "takes no weights"
      : "may take no weights";
  return [
    say.warn("backend-algorithm", `"balance ${facts.algorithm}" ${may}: then ready.ramp has no effect`, next),
  ];
}

function slowstart({ config, servers, wanted, say }: OneBackend): Finding[] {
  const longest = Math.max(0, ...servers.map(({ server }) => config?.servers.get(server)?.slowstart ?? 0));
  if (longest === 0) return [];
  const text = `slowstart ${sayDuration(longest)}: so long a node that is back gets fewer requests`;
  if (wanted.soak > 0 && wanted.soak < longest)
    return [
      say.warn(
        "backend-slowstart",
        `${text}, and a soak of ${sayDuration(wanted.soak)} sees only those`,
        "a longer rollout.soak, or a shorter slowstart",
      ),
    ];
  return [say.ok("backend-slowstart", text)];
}

function queue({ facts, say }: OneBackend): Finding[] {
  if (facts.queued === 0) return [];
  const text = `${facts.queued} requests wait for a server now (maxconn): with a node fewer more will`;
  return [say.warn("backend-queue", text, "a smaller batch, a quieter hour, or a higher maxconn")];
}

const mostNamed = 4;

function some(servers: ServerFacts[]): string {
  const names = servers.map(({ server }) => server);
  return names.length <= mostNamed
    ? names.join(", ")
    : `${names.slice(0, mostNamed - 1).join(", ")} and ${names.length - mostNamed + 1} more`;
}
