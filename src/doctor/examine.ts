/** The whole fleet, looked at and judged: balancers first and all at once, then hosts and pages, a few at a time. */
import PQueue from "p-queue";
import { RotaError } from "../base/errors.ts";
import type { Ways } from "../balancer/ways.ts";
import { type Balancer, type Fleet, type Node, type Pool, balancersOf } from "../inventory/fleet.ts";
import type { SshHosts } from "../remote/hosts.ts";
import { driftOf } from "../rotation/plan/drift.ts";
import { entriesOfNode } from "../rotation/plan/entries.ts";
import type { Entry, Health, Survey } from "../rotation/ports.ts";
import { judgeBackends, type Wanted } from "./backends.ts";
import { balancerFacts } from "./balancer-facts.ts";
import { judgeBalancer } from "./balancer.ts";
import { type Finding, about } from "./findings.ts";
import { hostFacts } from "./host-facts.ts";
import { judgeHost } from "./host.ts";
import { judgeKey, keyFacts } from "./keys.ts";
import { judgePage, pageFacts } from "./page.ts";

export interface Patient {
  fleet: Fleet;
  /** Those that are meant, in the order of the file. */
  nodes: Node[];
  survey: () => Promise<Survey>;
  ways: Ways;
  hosts: SshHosts;
  health: Pick<Health, "faultOf">;
  /** IP addresses of hosts, by name. */
  addressesOf: (hosts: string[]) => Promise<ReadonlyMap<string, string[]>>;
  /** What {NAME} stands for on a node. @throws RotaError USAGE for what is not set here */
  valuesOf: (node: Node) => Record<string, string>;
  today: Date;
  /** Told as it goes on: "12 of 500 hosts". */
  onProgress: (text: string) => void;
}

/** Key exchanges cost both sides some milliseconds of CPU each. */
const atOnce = 16;

export async function examine(patient: Patient): Promise<Finding[]> {
  const { fleet, nodes, onProgress } = patient;
  const pools = fleet.pools.filter((pool) => pool.nodes.some((node) => nodes.includes(node)));
  const concerned = fleet.balancers.filter((one) =>
    pools.some((pool) => balancersOf(fleet, pool).includes(one)),
  );
  onProgress(`asking ${concerned.length} balancers`);
  const places = await placesOf(patient, pools);
  const ofBalancers = await Promise.all(concerned.map((one) => examineBalancer(one, places, patient)));
  const ofFleet = await compare(places, patient);
  const ofHosts = await examineHosts(places, patient);
  return [...ofBalancers.flat(), ...ofFleet, ...ofHosts];
}

interface Places {
  survey: Survey;
  nodes: { pool: Pool; node: Node; entries: Entry[]; lacks: string[] }[];
}

async function placesOf({ fleet, nodes, survey: look }: Patient, pools: Pool[]): Promise<Places> {
  const survey = await look();
  return {
    survey,
    nodes: pools.flatMap((pool) =>
      pool.nodes
        .filter((node) => nodes.includes(node))
        .map((node) => ({ pool, node, ...entriesOfNode(fleet, pool, node, survey) })),
    ),
  };
}

async function examineBalancer(
  balancer: Balancer,
  { survey, nodes }: Places,
  { ways, today }: Patient,
): Promise<Finding[]> {
  const { name } = balancer;
  const told = nodes.some(({ pool }) => !pool.statusPage && pool.balancers.includes(name));
  const facts = await balancerFacts(balancer, told, ways);
  if (facts) return [...judgeBalancer(facts, today), ...judgeBackends(facts, wantedOf(name, nodes))];
  const say = about("balancers", name);
  const unread = survey.unread.find((one) => one.balancer === name);
  if (!unread)
    return [say.ok("balancer", "its statistics page answers: it is read only, and shows no options")];
  const { message, next } = unread.error;
  return [
    say.bad(
      "balancer",
      message,
      next ?? "see that HAProxy runs, and that its statistics page can be reached",
    ),
  ];
}

/** The backends of one balancer that hold these nodes. */
function wantedOf(balancer: string, nodes: Places["nodes"]): Wanted[] {
  const all = new Map<string, Wanted>();
  for (const { pool, entries } of nodes)
    for (const { backend, server } of entries.filter((entry) => entry.balancer === balancer)) {
      const wanted = all.get(backend) ?? { backend, servers: [], ramp: false, soak: 0 };
      const { soak } = pool.rollout;
      wanted.servers.push(server);
      wanted.ramp ||= pool.ready.ramp !== undefined;
      wanted.soak = soak > 0 && wanted.soak > 0 ? Math.min(soak, wanted.soak) : Math.max(soak, wanted.soak);
      all.set(backend, wanted);
    }
  return [...all.values()];
}

/** The inventory and the balancers, and the balancers among themselves. */
async function compare({ survey, nodes }: Places, { fleet, addressesOf }: Patient): Promise<Finding[]> {
  const missing = nodes.flatMap(({ node, lacks }) =>
    lacks.map((text) =>
      about("balancers", node.name).bad(
        "server-missing",
        text.replace(` ${node.server} (node ${node.name})`, " of its name"),
        "server: and backends: in the inventory, or a server line in HAProxy's configuration",
      ),
    ),
  );
  const addresses = await addressesOf([...new Set(nodes.map(({ node }) => node.host))]);
  const drift = driftOf({ fleet, survey, nodes, addresses }).filter(({ kind }) => kind !== "agent"); // told by backend
  const say = about("balancers", fleet.name);
  return [
    ...missing,
    ...drift.map(({ kind, text }) =>
      kind === "not in the inventory"
        ? say.ok("drift", text)
        : say.warn("drift", text, "the inventory, or HAProxy's configuration: they should say the same"),
    ),
  ];
}

async function examineHosts({ nodes }: Places, patient: Patient): Promise<Finding[]> {
  const { hosts, health, onProgress, today } = patient;
  const queue = new PQueue({ concurrency: atOnce });
  const keys = { named: new Set<string>(), usual: new Set<string>() };
  let done = 0;
  onProgress(`opening ${nodes.length} hosts`);
  const found = await queue.addAll(
    nodes.map(({ pool, node, entries }) => async () => {
      const known = valuesFor(node, patient);
      if ("unknown" in known) return [known.unknown];
      const { values } = known;
      const isOut = entries.length > 0 && entries.every(({ outBecause }) => outBecause === "person");
      const [host, page] = await Promise.all([
        hostFacts({ pool, node }, values, hosts),
        pageFacts({ pool, node, isOut }, values, health),
      ]);
      await noteKeys(node, hosts, keys);
      onProgress(`${(done += 1)} of ${nodes.length} hosts`);
      return [...judgeHost(host, values), ...judgePage(page)];
    }),
  );
  const files = await keyFacts([...keys.named], [...keys.usual]);
  return [...files.flatMap((file) => judgeKey(file, today)), ...found.flat()];
}

function valuesFor(
  node: Node,
  { valuesOf }: Patient,
): { values: Record<string, string> } | { unknown: Finding } {
  try {
    return { values: valuesOf(node) };
  } catch (thrown) {
    if (!(thrown instanceof RotaError)) throw thrown;
    const say = about("hosts", node.name);
    return {
      unknown: say.bad("host-variables", thrown.message, thrown.next ?? "set it, then the same again"),
    };
  }
}

/** Where ssh's configuration can't be read, the host itself tells. */
async function noteKeys(
  node: Node,
  hosts: SshHosts,
  keys: { named: Set<string>; usual: Set<string> },
): Promise<void> {
  const files = await hosts.keyFiles(node).catch((thrown: unknown) => {
    if (thrown instanceof RotaError) return { named: [], usual: [] };
    throw thrown;
  });
  for (const path of files.named) keys.named.add(path);
  for (const path of files.usual) keys.usual.add(path);
}
