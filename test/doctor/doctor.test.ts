import { readFileSync } from "node:fs";
import { access, chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { doctorLines, summary } from "../../src/board/doctor.ts";
import { type Finding, about, findingCodes } from "../../src/doctor/findings.ts";
import { type FakeSite, fakeSite } from "../fakes/site.ts";

interface Diagnosis {
  code: number;
  findings: Finding[];
  /** "bad host-key web1" of all that is not ok. */
  told: string[];
}

async function diagnose(site: FakeSite, ...words: string[]): Promise<Diagnosis> {
  const { code, out } = await site.rota("doctor", ...words, "--json");
  const { findings, error }: { findings: Finding[]; error?: unknown } = JSON.parse(out);
  expect(error).toBeUndefined();
  const told = findings
    .filter(({ verdict }) => verdict !== "ok")
    .map(({ verdict, code: what, on }) => `${verdict} ${what} ${on}`);
  return { code, findings, told };
}

/** What is true of every site of fakes: they have no master, and tell of no configuration. */
const ofFakes = ["lb1", "lb2"].flatMap((name) => [
  `warn balancer-master ${name}`,
  `unseen balancer-config ${name}`,
]);

const findingOf = ({ findings }: Diagnosis, code: string): Finding | undefined =>
  findings.find((one) => one.code === code);

test("a site that is well ends with 0, and nothing anywhere was changed", async () => {
  await using site = await fakeSite({ nodes: 3 });
  const { code, told, findings } = await diagnose(site);
  expect({ code, told }).toEqual({ code: 0, told: ofFakes });
  const codes = new Set(findings.map((finding) => finding.code));
  for (const one of ["balancer-level", "backend-checks", "host", "host-clock", "key-file", "page", "journal"])
    expect(codes).toContain(one);
  const lines = site.balancers.flatMap((balancer) => balancer.lines.flatMap((line) => line.split(";")));
  expect(lines.filter((line) => !line.startsWith("show "))).toEqual([]);
  const commands = site.names.flatMap((name) => site.host(name).commands);
  expect(commands).toHaveLength(3);
  // Nothing but words that look: whoever adds one that does not has to say so here.
  const acts =
    /\b(rm|mv|mkdir|touch|ln|chmod|chown|kill|tee|restart|reload|start|stop)\b|[^2&<]>(?!&2|\/dev\/null)/;
  for (const command of commands) expect(command).not.toMatch(acts);
  await expect(access(site.env["ROTA_JOURNAL"]?.slice("sqlite:".length) ?? "")).rejects.toThrow("ENOENT");
});

test("each fault is told of what has it, with what to do, and the exit code is 3", async () => {
  await using site = await fakeSite({ nodes: 5 });
  site.balancer("lb2").level = "operator";
  site.balancer("lb1").server("app", "web2").checked = false;
  site.balancer("lb1").server("app", "web4").address = "10.9.9.9";
  site.balancer("lb2").removeServer("app", "web5");
  await writeFile(site.host("web1").knownHosts, "# nobody\n");
  site.app("web3").answers({ status: 503 });
  await skewClock(site, "web4");
  await chmod(site.host("web5").identity, 0o644);
  const diagnosis = await diagnose(site);
  expect(diagnosis.code).toBe(3);
  expect(diagnosis.told.toSorted()).toEqual(
    [
      ...ofFakes,
      "bad balancer-level lb2",
      "warn backend-checks lb1/app",
      "bad server-missing web5",
      "warn drift fake",
      "bad host-key web1",
      "bad page web3",
      "warn host-clock web4",
      `warn key-mode ${site.host("web5").identity}`,
    ].toSorted(),
  );
  expect(findingOf(diagnosis, "host-key")?.next).toContain("ssh-keygen -l");
  expect(diagnosis.findings.find(({ on, code }) => on === "web4" && code === "host-clock")?.text).toContain(
    "its clock is 1h ahead of",
  );
  for (const { verdict, next } of diagnosis.findings) expect(next === undefined).toBe(verdict === "ok");
  const { out } = await site.rota("doctor");
  expect(out.trimEnd().split("\n").at(-1)).toBe(summary(diagnosis.findings));
});

/** An hour ahead. */
async function skewClock(site: FakeSite, name: string): Promise<void> {
  await plant(site, name, "date", 'exec /bin/date -d "+1 hour" "$@"');
}

test("only what is named is looked at", async () => {
  await using site = await fakeSite({ nodes: 3 });
  const { findings } = await diagnose(site, "web2");
  expect(new Set(findings.filter(({ code }) => code === "page").map(({ on }) => on))).toEqual(
    new Set(["web2"]),
  );
  expect(site.host("web1").connections).toBe(0);
});

test("hosts and balancers that are gone are told of, and the rest all the same", async () => {
  await using site = await fakeSite({ nodes: 2 });
  site.balancer("lb1").always("close");
  await site.host("web1")[Symbol.asyncDispose]();
  const { code, told } = await diagnose(site);
  expect(code).toBe(3);
  expect(told).toContain("bad balancer lb1");
  expect(told.filter((one) => one.startsWith("bad host"))).toEqual(["bad host-login web1"]); // its key went with it
});

test("a node that a person has out may be ill; one that is held out by its page is said to be", async () => {
  await using site = await fakeSite({ nodes: 2 });
  for (const balancer of site.balancers) balancer.server("app", "web1").admin = 1;
  site.app("web1").answers({ status: 503 });
  const { code, told } = await diagnose(site);
  expect({ code, told }).toEqual({ code: 0, told: [...ofFakes, "warn page web1"] });
});

test("what release: needs of a host: SFTP, a folder that can be written to, a link", async () => {
  const to = "/{FOLDER}";
  await using site = await fakeSite({
    nodes: 3,
    pool: { release: { upload: "x.tar.gz", to }, upgrade: undefined },
  });
  // Each node's own login folder, which it knows under its own name.
  const rest = await withFolders(site);
  site.host("web1").refusesSftp = true;
  await mkdir(join(site.host("web2").folder, "current"));
  await symlink("releases/gone", join(site.host("web3").folder, "current"));
  const { told } = await diagnose(rest);
  expect(told.filter((one) => /release|sftp/.test(one) && !/disk/.test(one)).toSorted()).toEqual([
    "bad host-sftp web1",
    "bad release-current web2",
    "warn release-current web3",
  ]);
});

async function withFolders(site: FakeSite): Promise<FakeSite> {
  let text = readFileSync(site.inventory, "utf8");
  for (const name of site.names) {
    const { port, folder } = site.host(name);
    text = text.replace(
      new RegExp(`(port: ${port}\\n(?:.*\\n)*?\\s+vars:\\n)(\\s+)PORT`),
      `$1$2FOLDER: ${folder.slice(1)}\n$2PORT`,
    );
  }
  await writeFile(site.inventory, text);
  return site;
}

/** A program of this name for the commands of a host. */
async function plant(site: FakeSite, name: string, program: string, script: string): Promise<void> {
  const host = site.host(name);
  const bin = join(host.folder, "bin");
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, program), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  host.path = `${bin}:${host.path}`;
}

test("a unit that starts the folder behind the link, or whose file has changed", async () => {
  await using site = await fakeSite({
    nodes: 3,
    pool: {
      release: { upload: "x.tar.gz", to: "/srv/none" },
      restart: { via: "systemd", run: undefined, unit: "my_app" },
      upgrade: undefined,
    },
  });
  const unit = (more: string): string =>
    `[ "$1" = show ] || exit 9\nfor last; do :; done\n[ "$last" = my_app ] || exit 8\nprintf 'LoadState=loaded\\nActiveState=active\\n${more}'`;
  await plant(site, "web1", "systemctl", unit("WorkingDirectory=/srv/none/releases/41-abc\\n"));
  await plant(
    site,
    "web2",
    "systemctl",
    unit("WorkingDirectory=/srv/none/current\\nNeedDaemonReload=yes\\n"),
  );
  await plant(site, "web3", "systemctl", "echo LoadState=masked");
  const { told } = await diagnose(site);
  expect(told.filter((one) => one.includes(" unit")).toSorted()).toEqual([
    "bad unit web3",
    "bad unit-link web1",
    "warn unit-stale web2",
  ]);
});

test("a gunicorn that runs, one that does not, and one that is told by python3, which is not there", async () => {
  const pidfile = "{PIDFILE}";
  await using site = await fakeSite({
    nodes: 2,
    pool: {
      restart: { via: "gunicorn", run: undefined, pidfile, how: "workers" },
      vars: { PIDFILE: "/nowhere/pid" },
    },
  });
  const lean = join(site.host("web2").folder, "lean");
  await mkdir(lean);
  for (const tool of ["cat", "date", "id", "tr"]) await symlink(`/usr/bin/${tool}`, join(lean, tool));
  site.host("web2").path = lean;
  const { told } = await diagnose(site);
  expect(told.filter((one) => !ofFakes.includes(one)).toSorted()).toEqual([
    "bad host-python3 web2",
    "warn pidfile web1",
    "warn pidfile web2",
  ]);
});

test("a uWSGI whose stats socket is there, and one whose isn't", async () => {
  await using site = await fakeSite({
    nodes: 2,
    pool: { restart: { via: "uwsgi", run: undefined, stats: "{STATS}" }, vars: { STATS: "/nowhere/stats" } },
  });
  const { told } = await diagnose(site);
  expect(told.filter((one) => !ofFakes.includes(one)).toSorted()).toEqual([
    "warn uwsgi-stats web1",
    "warn uwsgi-stats web2",
  ]);
});

test("by the status page any level of socket is enough, and a page that is held out is told of", async () => {
  await using site = await fakeSite({
    nodes: 2,
    haproxy: { level: "operator" },
    pool: { drain: { via: "status-page" }, status_page: { out: "touch out", in: "rm out" } },
  });
  site.app("web2").answers({ status: 404 });
  const { code, told } = await diagnose(site);
  expect({ code, told }).toEqual({ code: 0, told: [...ofFakes, "warn page-out web2"] });
});

test("an environment variable that is not set is told of, and no stack trace", async () => {
  await using site = await fakeSite({ nodes: 1, pool: { vars: { TOKEN: { env: "NOT_SET_ANYWHERE" } } } });
  const { code, told } = await diagnose(site);
  expect({ code, told }).toEqual({ code: 3, told: [...ofFakes, "bad host-variables web1"] });
});

test("500 nodes of one judgement are one line, and a range ends where another begins", () => {
  const names = Array.from({ length: 500 }, (_, i) => `web${i + 1}`);
  const findings = names.map((name) =>
    name === "web7"
      ? about("hosts", name).bad("host-unreachable", "can't be reached", "look")
      : about("hosts", name).ok("host", "opens"),
  );
  const lines = doctorLines({ fleet: "shop", findings, names }, 100);
  expect(lines).toEqual([
    "shop",
    "",
    "hosts",
    "  bad     web7: can't be reached [host-unreachable]",
    "          next: look",
    "  ok      web1 … web6, web8 … web500 (499): opens [host]",
    "",
    "1 bad, 499 ok",
  ]);
});

test("500 nodes that are each told of in other words are told of a few times, and counted", () => {
  const names = Array.from({ length: 500 }, (_, i) => `web${i + 1}`);
  const findings = names.map((name) =>
    about("hosts", name).bad("host-unreachable", `${name} (10.0.0.1) can't be reached`, `ssh ${name}`),
  );
  const lines = doctorLines({ fleet: "shop", findings, names }, 100);
  expect(lines).toHaveLength(3 + 8 * 2 + 1 + 2);
  expect(lines[3]).toBe("  bad     web1 (10.0.0.1) can't be reached [host-unreachable]");
  expect(lines).toContain(
    "  bad     web9 … web500 (492): more like these; --json has each [host-unreachable]",
  );
  expect(lines.at(-1)).toBe("500 bad");
});

test("no line is wider than the terminal, and nothing from elsewhere moves it", () => {
  const text = `\u001b[31mred ${"words and more ".repeat(20)}`;
  const findings = [about("pages", "web1").bad("page", text, `next\u0007 ${"words ".repeat(30)}`)];
  const lines = doctorLines({ fleet: "shop", findings, names: ["web1"] }, 50);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(50);
  // oxlint-disable-next-line no-control-regex
  expect(lines.join("")).not.toMatch(/[\u0000-\u001f]/);
});

test("docs/doctor.md has every finding, and no other", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/doctor.md"), "utf8");
  const listed = [...page.slice(page.indexOf("## Balancers")).matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map(
    ([, code]) => code,
  );
  expect(listed).toEqual([...findingCodes]);
});
