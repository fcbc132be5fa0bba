import { expect, test } from "vitest";
import { RotaError } from "../../src/base/errors.ts";
import { judgeBackends, type Wanted } from "../../src/doctor/backends.ts";
import type { BalancerFacts, Seen } from "../../src/doctor/balancer-facts.ts";
import { judgeBalancer } from "../../src/doctor/balancer.ts";
import { type Finding, about } from "../../src/doctor/findings.ts";
import { readHaproxyConfig } from "../../src/doctor/haproxy-config.ts";
import { aheadOf } from "../../src/doctor/host-facts.ts";
import { judgeJournal, type Opened } from "../../src/doctor/journal.ts";
import { judgeKey } from "../../src/doctor/keys.ts";
import { judgeUnit } from "../../src/doctor/unit.ts";
import { judgeVersion } from "../../src/doctor/versions.ts";

const today = new Date("2026-11-27");

/** "warn unit-stale" of each that is not ok. */
const told = (findings: Finding[]): string[] =>
  findings.filter(({ verdict }) => verdict !== "ok").map(({ verdict, code }) => `${verdict} ${code}`);

const config = (more: string, head = "") =>
  readHaproxyConfig(
    `global\n server-state-file /s\ndefaults\n option redispatch\n load-server-state-from-file global\n${head}backend app\n${more}`,
  ) ?? "none";

const seen = (more: Partial<Seen> = {}): Seen => ({
  info: { version: "3.2.26", pid: 10, stopping: false, uptime: 90_000 },
  level: "admin",
  servers: [{ backend: "app", server: "web1", checked: true, agent: false, tracks: "" }],
  backends: [{ backend: "app", algorithm: "roundrobin", cookie: "", queued: 0 }],
  environment: { files: ["/etc/h.cfg"], mastered: true, masterSocket: "unix@/run/m.sock" },
  master: { workers: [10], failedReloads: 0 },
  config: config(" server web1 10.0.0.1:80 check\n"),
  ...more,
});

const facts = (more: Partial<Seen> = {}, told_ = true): BalancerFacts => ({
  name: "lb1",
  address: "/run/a.sock",
  told: told_,
  seen: seen(more),
});

test("a balancer that is well has nothing to be said of", () => {
  expect(told(judgeBalancer(facts(), today))).toEqual([]);
});

test.each<[string, Partial<Seen>, string[]]>([
  ["an operator's socket", { level: "operator" }, ["bad balancer-level"]],
  ["no master in the inventory", { master: undefined }, ["warn balancer-master"]],
  ["another HAProxy's master", { master: { workers: [11], failedReloads: 0 } }, ["bad balancer-master"]],
  ["a master that can't be asked", { master: { problem: "no" } }, ["bad balancer-master"]],
  [
    "an old worker that lives",
    { master: { workers: [10, 7], failedReloads: 0 } },
    ["warn balancer-old-workers"],
  ],
  ["a reload that failed", { master: { workers: [10], failedReloads: 1 } }, ["warn balancer-failed-reload"]],
  ["a configuration elsewhere", { config: "on another machine" }, ["unseen balancer-config"]],
  [
    "no master process at all",
    { environment: { files: [], mastered: false, masterSocket: undefined }, master: undefined },
    ["warn balancer-reload"],
  ],
  ["no state file", { config: readHaproxyConfig("backend app\n") ?? "none" }, ["warn balancer-state-file"]],
  [
    "a state file that one backend does not load",
    { config: config("", "backend b\n load-server-state-from-file none\n") },
    ["warn balancer-state-file"],
  ],
])("a balancer with %s", (_, more, expected) => {
  expect(told(judgeBalancer(facts(more), today))).toEqual(expected);
});

test("an operator's socket is enough where nodes leave by their own page", () => {
  expect(told(judgeBalancer(facts({ level: "operator" }, false), today))).toEqual([]);
});

test("the master's address is told as HAProxy says it", () => {
  const [finding] = judgeBalancer(facts({ master: undefined }), today).filter(
    ({ code }) => code === "balancer-master",
  );
  expect(finding?.next).toContain("master: unix:/run/m.sock");
});

test("a balancer that does not answer, or does not let us in, is told in its own words", () => {
  const error = (code: "BALANCER_UNREACHABLE" | "BALANCER_RIGHTS"): BalancerFacts => ({
    ...facts(),
    seen: new RotaError(code, { problem: "lb1: no", next: "do this" }),
  });
  expect(judgeBalancer(error("BALANCER_UNREACHABLE"), today)).toMatchObject([
    { code: "balancer", verdict: "bad", text: "lb1: no", next: "do this" },
  ]);
  expect(told(judgeBalancer(error("BALANCER_RIGHTS"), today))).toEqual(["bad balancer-level"]);
});

test.each([
  ["3.2.26", "ok"],
  ["2.6.12-1+deb12u3", "ok"],
  ["2.6.12-1+deb12u3", "warn", "2027-08-01"],
  ["2.4.0", "warn"],
  ["3.4.0", "warn"],
  ["3.3-dev2", "warn"],
  ["9.9.1", "warn"],
  ["nonsense", "warn"],
])("HAProxy %s is %s", (version, verdict, day = "2026-11-27") => {
  expect(judgeVersion(version, new Date(day), about("balancers", "lb1")).verdict).toBe(verdict);
});

const wanted: Wanted = { backend: "app", servers: ["web1"], ramp: false, soak: 0 };
const server = (more: object) => [
  { backend: "app", server: "web1", checked: true, agent: false, tracks: "", ...more },
];
const backend = (more: object) => [
  { backend: "app", algorithm: "roundrobin", cookie: "", queued: 0, ...more },
];
const lines = (text: string): Partial<Seen> => ({ config: config(text) });

test("a backend that is well has nothing to be said of", () => {
  expect(told(judgeBackends(facts(), [wanted]))).toEqual([]);
  expect(judgeBackends(facts(), [{ ...wanted, backend: "gone" }])).toEqual([]);
});

test.each<[string, Partial<Seen>, Partial<Wanted>, string[]]>([
  ["a server without a check", { servers: server({ checked: false }) }, {}, ["warn backend-checks"]],
  ["one that tracks another", { servers: server({ checked: false, tracks: "b/web1" }) }, {}, []],
  ["an agent", { servers: server({ agent: true }) }, {}, ["warn backend-agent"]],
  ["a long inter", lines(" server web1 h:80 check inter 30s\n"), {}, ["warn backend-inter"]],
  ["another's long inter", lines(" server web9 h:80 check inter 30s\n"), {}, []],
  ["an endless cookie", lines(" cookie S insert\n"), {}, ["warn backend-persistence"]],
  ["a cookie that ends", lines(" cookie S insert maxidle 1h\n"), {}, []],
  [
    "a cookie, and a configuration elsewhere",
    { backends: backend({ cookie: "S" }), config: "elsewhere" },
    {},
    ["unseen backend-persistence"],
  ],
  [
    "an endless table",
    lines(" stick-table type ip size 1m\n stick on src\n"),
    {},
    ["warn backend-persistence"],
  ],
  ["option persist", lines(" option persist\n"), {}, ["bad backend-persistence"]],
  ["no redispatch", lines(" no option redispatch\n"), {}, ["warn backend-redispatch"]],
  [
    "a hash, and a ramp",
    { backends: backend({ algorithm: "source" }) },
    { ramp: true },
    ["warn backend-algorithm"],
  ],
  ["a hash, and no ramp", { backends: backend({ algorithm: "source" }) }, {}, []],
  [
    "who knows which, and a ramp",
    { backends: backend({ algorithm: "" }) },
    { ramp: true },
    ["unseen backend-algorithm"],
  ],
  ["a slowstart", lines(" server web1 h:80 check slowstart 60s\n"), {}, []],
  [
    "a slowstart longer than the soak",
    lines(" server web1 h:80 check slowstart 60s\n"),
    { soak: 30_000 },
    ["warn backend-slowstart"],
  ],
  ["a queue", { backends: backend({ queued: 12 }) }, {}, ["warn backend-queue"]],
])("a backend with %s", (_, more, also, expected) => {
  expect(told(judgeBackends(facts(more), [{ ...wanted, ...also }]))).toEqual(expected);
});

test.each([
  [100, 100.2, 100.4, 0],
  [99, 100.2, 100.4, 0 - (100.2 - 100)], // within the second that it may mean
  [103, 100.2, 100.4, 2.6],
  [90, 100.2, 100.4, -9.2],
])("a clock that says %d between %d and %d", (theirs, from, to, ahead) => {
  expect(aheadOf(theirs, from, to)).toBeCloseTo(ahead);
  expect(aheadOf(NaN, from, to)).toBeUndefined();
});

const unit = (to: string | undefined, ...more: string[]): Finding[] =>
  judgeUnit("app", to, ["LoadState=loaded", "ActiveState=active", ...more], about("hosts", "web1"));

test.each<[string, string[], string[]]>([
  ["the link", ["WorkingDirectory=/srv/app/current"], []],
  ["the link, in its command", ["ExecStart={ path=/x ; argv[]=/srv/app/current/run ; }"], []],
  ["the folder behind it", ["WorkingDirectory=/srv/app/releases/41-abc"], ["bad unit-link"]],
  ["neither", ["WorkingDirectory=/"], ["unseen unit-link"]],
  [
    "the link, changed since",
    ["WorkingDirectory=/srv/app/current", "NeedDaemonReload=yes"],
    ["warn unit-stale"],
  ],
])("a unit that names %s", (_, more, expected) => {
  expect(told(unit("/srv/app", ...more))).toEqual(expected);
});

test("a unit that is masked, missing, not active, or nobody's", () => {
  const say = about("hosts", "web1");
  expect(told(judgeUnit("app", undefined, ["LoadState=masked"], say))).toEqual(["bad unit"]);
  expect(told(judgeUnit("app", undefined, [], say))).toEqual(["bad unit"]);
  const failed = ["LoadState=loaded", "ActiveState=failed", "Result=exit-code"];
  expect(told(judgeUnit("app", undefined, failed, say))).toEqual(["warn unit"]);
});

test("a key file: missing, open to others, old", () => {
  const file = { mode: 0o600, changed: new Date("2026-01-01"), mine: true };
  const judge = (more: object) => told(judgeKey({ path: "/k", file: { ...file, ...more } }, today));
  expect(judge({})).toEqual([]);
  expect(judge({ mode: 0o644 })).toEqual(["warn key-mode"]);
  expect(judge({ mode: 0o644, mine: false })).toEqual([]);
  expect(judge({ changed: new Date("2023-01-01") })).toEqual(["warn key-age"]);
  expect(told(judgeKey({ path: "/k", file: undefined }, today))).toEqual(["bad key-file"]);
});

const opened: Opened = {
  version: "SQLite 3.45.1",
  mode: 0o600,
  ahead: 0,
  holder: undefined,
  holderIsGone: false,
  unfinished: [],
  absences: [],
};
const journal = (more: Partial<Opened>, lacksShared = false): Finding[] =>
  judgeJournal(
    { where: "/j", kind: "sqlite", lacksShared, opened: { ...opened, ...more } },
    today,
    " -i x.yml",
  );

test("a journal: its mode, clock, lease, and what it knows to be unfinished", () => {
  expect(told(journal({}))).toEqual([]);
  expect(told(journal({}, true))).toEqual(["bad journal-shared"]);
  expect(told(journal({ mode: 0o644 }))).toEqual(["warn journal-mode"]);
  expect(told(journal({ ahead: -9_000 }))).toEqual(["warn journal-clock"]);
  expect(told(journal({ holder: "ada" }))).toEqual([]);
  expect(told(journal({ holder: "ada", holderIsGone: true }))).toEqual(["warn journal-lease"]);
  expect(journal({ unfinished: [{ what: "run 7f", next: "rota resume 7f" }] }).at(-1)).toMatchObject({
    code: "journal-unfinished",
    next: "rota resume 7f",
  });
  const error = new RotaError("JOURNAL", { problem: "no" });
  const broken = judgeJournal({ where: "/j", kind: "sqlite", lacksShared: false, opened: error }, today, "");
  expect(told(broken)).toEqual(["bad journal"]);
});

test("a hold is told of once it is overdue", () => {
  const hold = (until: string | undefined) => ({
    node: "web3",
    kind: "hold" as const,
    run: "7f",
    by: "ada",
    reason: undefined,
    since: today,
    until: until === undefined ? undefined : new Date(until),
    found: [],
  });
  expect(told(journal({ absences: [hold(undefined), hold("2026-12-01")] }))).toEqual([]);
  expect(journal({ absences: [hold("2026-11-26")] }).at(-1)).toMatchObject({
    on: "web3",
    code: "journal-overdue",
    next: "rota ready web3 -i x.yml, if it is well",
  });
});
