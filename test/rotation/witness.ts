/**
 * Watches what the balancers, hosts and apps of a site are told and asked, and judges each act by what is so at that
 * very moment: not by what rota says.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import type { FakeHaproxy } from "../fakes/haproxy.ts";
import type { FakeSite } from "../fakes/site.ts";
import { type Scenario, wellBody } from "./scenario.ts";

export interface Witness {
  /** What must not have been, each with what was seen. */
  wrongs: string[];
  /** A new process proves everything anew. */
  newRun: () => void;
  /** What the node's commands left: upgrade, upgraded, restart, restarted. */
  logOf: (node: string) => string[];
  /** Nodes that a balancer was told anything about. */
  told: Set<string>;
}

interface Seen {
  state: "ready" | "drain" | "maint";
  serves: boolean;
}

/** Good answers in a row that the inventory asks for. */
const times = 2;

export function watch(site: FakeSite, scenario: Scenario): Witness {
  const { nodes } = site;
  const least = shareOf(scenario.minServing, scenario.nodes, Math.ceil);
  const atOnce = Math.max(1, shareOf(scenario.batch, scenario.nodes, Math.floor));
  const wrongs: string[] = [];
  const told = new Set<string>();
  /** Good answers of each app in a row, since its last restart was done, in this run. */
  const good = new Map<string, number>();
  /** Places where a check has passed since they left maint. */
  const passed = new Set<string>();
  /** Places that only a proof may make ready. */
  const unproven = new Set<string>();
  /** Places that were told to be out. */
  const out = new Set<string>();

  const placesOf = (node: string) =>
    site.balancers.flatMap((lb, i) => site.backends.map((backend) => place(lb, `lb${i + 1}`, backend, node)));
  const logOf = (node: string): string[] => linesOf(join(site.host(node).folder, "log"));
  const isKnown = journalOf(site);
  const isAway = (node: string): boolean =>
    placesOf(node).some(({ key, see }) => out.has(key) && see().state !== "ready");

  for (const node of nodes) {
    const app = site.app(node);
    let well = true;
    const answers = app.answers.bind(app);
    app.answers = (...next) => {
      well = next.every(
        (answer) => typeof answer === "object" && answer.status === 200 && answer.body === wellBody,
      );
      answers(...next);
    };
    onEach(app.requests, () => {
      const counts = well && logOf(node).at(-1) === "restarted";
      good.set(node, counts ? (good.get(node) ?? 0) + 1 : 0);
    });
    onEach(site.host(node).commands, (script) => {
      good.set(node, 0);
      for (const { key, lb, backend } of placesOf(node)) {
        unproven.add(key);
        passed.delete(key);
        const { sessions, queued } = lb.server(backend, node);
        if (sessions + queued > 0) wrongs.push(`${key} has ${sessions} sessions when ${script} begins`);
      }
    });
  }

  for (const [i, lb] of site.balancers.entries()) {
    const name = `lb${i + 1}`;
    const check = lb.check.bind(lb);
    lb.check = () => {
      check();
      for (const backend of site.backends)
        for (const node of nodes) {
          const { key, see } = place(lb, name, backend, node);
          if (see().state !== "maint" && lb.server(backend, node).passes) passed.add(key);
        }
    };
    const reload = lb.reload.bind(lb);
    lb.reload = () => {
      reload();
      for (const backend of site.backends)
        for (const node of nodes) passed.delete(`${name}/${backend}/${node}`);
    };
    onEach(lb.lines, (line) => {
      for (const [, backend = "", node = "", wanted] of line.matchAll(
        /set server (\w+)\/(\w+) state (\w+)/g,
      )) {
        const { key, see } = place(lb, name, backend, node);
        const before = see();
        const wasAway = isAway(node);
        const knownBefore = isKnown(node);
        told.add(node);
        // When the line has been carried out, or has not, for it met a fault.
        queueMicrotask(() => {
          const now = see();
          if (now.state !== wanted) return;
          const wrong = (what: string): void =>
            void wrongs.push(`${key} from ${before.state} to ${wanted}: ${what}`);
          if (wanted === "ready") {
            if (unproven.has(key)) for (const lack of lacksOf(node, key, before, lb)) wrong(lack);
            unproven.delete(key);
            out.delete(key);
            return;
          }
          out.add(key);
          if (wanted === "maint") {
            unproven.add(key);
            passed.delete(key);
          }
          if (before.state === "ready" && !knownBefore) wrong("the journal does not know of it");
          const serving = nodes.filter((one) => place(lb, name, backend, one).see().serves).length;
          if (before.serves && serving < least) wrong(`only ${serving} serve, ${least} must`);
          const away = nodes.filter(isAway);
          if (!wasAway && away.length > atOnce + scenario.maxFailures)
            wrong(`${away.join(", ")} are out, ${atOnce} may and ${scenario.maxFailures} may fail`);
        });
      }
    });
  }

  /** What is missing for this place to be made ready. */
  function lacksOf(node: string, key: string, before: Seen, lb: FakeHaproxy): string[] {
    const [, backend = ""] = key.split("/");
    const log = logOf(node);
    const seen = good.get(node) ?? 0;
    const lacks: string[] = [];
    if (log.findLast((line) => line.startsWith("upgrade")) !== "upgraded") lacks.push("its upgrade failed");
    if (log.at(-1) !== "restarted") lacks.push(`its last command was ${log.at(-1)}`);
    if (seen < times) lacks.push(`${seen} good answers since its restart`);
    // What a reload has made ready is so already.
    if (before.state === "ready") return lacks;
    if (before.state !== "drain") lacks.push("not through drain");
    if (!passed.has(key) || lb.server(backend, node).operational !== 2) lacks.push("no fresh check passed");
    return lacks;
  }

  return { wrongs, newRun: () => good.clear(), logOf, told };
}

const place = (lb: FakeHaproxy, name: string, backend: string, node: string) => ({
  lb,
  backend,
  key: `${name}/${backend}/${node}`,
  see: (): Seen => {
    const { operational, weight } = lb.server(backend, node);
    const state = lb.stateOf(backend, node);
    return { state, serves: state === "ready" && operational === 2 && weight > 0 };
  },
});

const shareOf = (share: number | string, all: number, round: (n: number) => number): number =>
  typeof share === "number" ? share : round((Number.parseFloat(share) * all) / 100);

const linesOf = (path: string): string[] =>
  existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n") : [];

/** Whether the journal has it that the node is out: at this moment, as a process would find it that comes after a crash. */
function journalOf({ env }: FakeSite): (node: string) => boolean {
  const path = (env["ROTA_JOURNAL"] ?? "").replace(/^sqlite:/, "");
  return (node) => {
    const database = new Database(path, { readonly: true, timeout: 2_000 });
    try {
      return database.prepare("select node from absences where node = ?").get(node) !== undefined;
    } finally {
      database.close();
    }
  };
}

/** Hears what is put into a list, before it is in there. */
function onEach<T>(list: T[], heard: (one: T) => void): void {
  const push = list.push.bind(list);
  list.push = (...all) => {
    all.forEach(heard);
    return push(...all);
  };
}
