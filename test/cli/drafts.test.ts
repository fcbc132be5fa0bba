import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { main } from "../../src/cli/main.ts";
import { type FakeHaproxy, fakeHaproxy } from "../fakes/haproxy.ts";

interface Said {
  code: number;
  out: string;
  err: string;
}

async function rota(cwd: string, ...words: string[]): Promise<Said> {
  const said = { out: "", err: "" };
  const code = await main(words, {
    out: (text) => void (said.out += `${text}\n`),
    err: (text) => void (said.err += `${text}\n`),
    env: { ROTA_JOURNAL: `sqlite:${cwd}/journal.db`, ROTA_SSH_CONFIG: "none" },
    cwd,
    terminal: undefined,
    colourOut: false,
    width: 100,
    keyboard: undefined,
    outGone: () => false,
    questions: process.stderr,
  });
  return { code, ...said };
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "rota-drafts-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const addressOf = ({ address }: FakeHaproxy): string =>
  address.kind === "unix" ? `unix:${address.path}` : `tcp://${address.host}:${address.port}`;

test("init asks every balancer and changes nothing; what it writes is planned as it is", () =>
  inFolder(async (folder) => {
    const backends = { app: ["web1", "web2", "web3", "web4"], jobs: ["jobs1", "jobs2"] };
    await using lb1 = await fakeHaproxy({ backends });
    await using lb2 = await fakeHaproxy({ backends, kind: "tcp", version: "3.4", level: "user" });
    for (const lb of [lb1, lb2]) {
      lb.server("jobs", "jobs1").address = "10.0.2.1";
      lb.server("jobs", "jobs2").address = "10.0.2.2";
    }
    lb1.server("app", "web2").admin = 1;
    const words = [
      "init",
      "--socket",
      addressOf(lb1),
      "--socket",
      `second=${addressOf(lb2)}`,
      "--fleet",
      "shop",
    ];
    const { code, err } = await rota(folder, ...words, "-o", "shop.yml");
    expect({ code, err }).toEqual({
      code: 0,
      err: "2 pools, 6 nodes: look for FILL IN, and for PROBLEM (1); then: rota plan -i shop.yml\n",
    });
    expect(
      [...lb1.lines, ...lb2.lines].filter((line) => /set|enable|disable|shutdown|clear/.test(line)),
    ).toEqual([]);
    const text = await readFile(join(folder, "shop.yml"), "utf8");
    expect(text).toMatch(/^fleet: shop$/m);
    expect(text).toContain(`second: ${addressOf(lb2)}`);
    expect(text).toContain("gives the level user, and rota needs admin");
    expect(text).toContain("# - web2: MAINT on lb1/app");
    expect((await stat(join(folder, "shop.yml"))).mode & 0o133).toBe(0);
    lb2.level = "admin";
    const planned = await rota(folder, "plan", "-i", "shop.yml");
    expect(planned).toMatchObject({ code: 0, err: "" });
    expect(planned.out).toMatch(/^app: 3 of 4 nodes in 3 batches$/m);

    const again = await rota(folder, ...words, "-o", "shop.yml");
    expect(again.code).toBe(2);
    expect(again.err).toContain("-o shop.yml: exists already\n  left:  nothing was written");
    expect(await readFile(join(folder, "shop.yml"), "utf8")).toBe(text);
    lb2.level = "user";
    expect((await rota(folder, ...words)).out).toBe(text);
  }));

test.each([
  [[], 2, "no --socket names one"],
  [["--socket", "10.0.0.1"], 2, '--socket "10.0.0.1" is not a socket\'s address'],
  [["--socket", "http://lb1/stats"], 2, "is a statistics page"],
  [["--socket", "unix:/a", "--socket", "unix:/a"], 2, "is given twice"],
  [["--socket", "lb2=unix:/a", "--socket", "unix:/b"], 2, "the name lb2 is given twice"],
  [["--socket", "a b=unix:/a"], 2, '"a b" is not a name'],
  [["--socket", "unix:/a", "--fleet", "a b"], 2, '--fleet: "a b" is not a name'],
  [["--socket", "unix:/a", "--jump", "a b"], 2, '--jump "a b" is not an SSH host'],
  [["--socket", "unix:/nowhere/x.sock"], 3, "lb1: there is no socket at /nowhere/x.sock"],
])("rota init %j is told as wrong", async (words, code, problem) => {
  const said = await rota("/", "init", ...words);
  expect(said).toMatchObject({ code, out: "" });
  expect(said.err).toContain(problem);
});

test("what is no HAProxy, or has no servers, is an error as for every command", async () => {
  await using lb1 = await fakeHaproxy({ backends: { app: ["web1"] } });
  lb1.always({ answer: "hello\n\nhello\n\nhello\n\nhello\n\n" });
  expect(await rota("/", "init", "--socket", addressOf(lb1))).toMatchObject({ code: 3, out: "" });
  await using empty = await fakeHaproxy({ backends: {} });
  const said = await rota("/", "init", "--socket", addressOf(empty));
  expect(said).toMatchObject({ code: 3, out: "" });
  expect(said.err).toContain("lb1 has no server that could be a node\n  left:  nothing was written");
});

test("import makes an inventory that plan reads, and says what is missing", () =>
  inFolder(async (folder) => {
    await writeFile(join(folder, "hosts"), "[web]\nweb[1:3] ansible_host=10.0.1.1 port=1\n");
    const { code, out, err } = await rota(
      folder,
      "import",
      "ansible",
      "hosts",
      "--fleet",
      "shop",
      "--var",
      "port",
    );
    expect({ code, err }).toEqual({
      code: 0,
      err: "1 pool, 3 nodes: look for FILL IN; then: rota plan -i FILE\n",
    });
    expect(out).toContain("    vars:\n      port: 1\n");
    await writeFile(join(folder, "shop.yml"), out.replace("unix:/run/haproxy/", `unix:${folder}/`));
    const planned = await rota(folder, "plan", "-i", "shop.yml");
    expect(planned.code).toBe(3);
    expect(planned.err).toContain(`lb1: there is no socket at ${folder}/admin.sock`);
  }));

test.each([
  [["import", "puppet", "x"], 'rota import "puppet": only ansible is known'],
  [["import", "ansible", "nowhere"], "nowhere does not exist"],
  [["import", "ansible", "/"], "is a folder; name one inventory file in it"],
  [["import", "ansible", "x", "--var", "1a"], '--var: "1a" is not a variable\'s name'],
])("rota %j is told as wrong, and what to type", async (words, problem) => {
  const said = await rota("/", ...words);
  expect(said).toMatchObject({ code: 2, out: "" });
  expect(said.err).toContain(problem);
  expect(said.err).toContain("next:");
});
