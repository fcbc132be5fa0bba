import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { processIo } from "../../src/cli/io.ts";
import { main } from "../../src/cli/main.ts";

interface Said {
  code: number;
  out: string;
  err: string;
}

async function rota(
  words: string[],
  { cwd = "/", env = {} }: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Said> {
  const said = { out: "", err: "" };
  const code = await main(words, {
    out: (text) => void (said.out += `${text}\n`),
    err: (text) => void (said.err += `${text}\n`),
    env,
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

test("what goes into a pipe is never coloured, whatever a library decides by itself where CI is set", () => {
  expect(processIo()).toMatchObject({ terminal: undefined, colourOut: false, width: Infinity });
});

const commands = [
  "deploy",
  "plan",
  "status",
  "doctor",
  "drain",
  "ready",
  "rotate",
  "resume",
  "abort",
  "pause",
  "runs",
  "show",
  "prune",
  "unlock",
  "init",
  "import",
];

test("help lists every command, with examples", async () => {
  const { code, out, err } = await rota(["--help"]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  for (const command of commands) expect(out).toMatch(new RegExp(`^ {2}${command} `, "m"));
  expect(out).toContain("rota deploy --set RELEASE=42");
});

test.each(commands)(
  "the help of %s shows how to use it, and its examples are commands that exist",
  async (command) => {
    const { code, out } = await rota([command, "--help"]);
    expect(code).toBe(0);
    const examples = [...out.slice(out.indexOf("Examples:")).matchAll(/^ {2}rota (\S+)/gm)].map(
      ([, word]) => word,
    );
    expect(examples).toContain(command);
    expect(examples.filter((word) => !commands.includes(word ?? ""))).toEqual([]);
  },
);

test("the version is that of the package", async () => {
  expect(await rota(["--version"])).toEqual({ code: 0, out: "0.1.0\n", err: "" });
});

test.each([
  [["dploy"], "next:  rota --help, or rota COMMAND --help"],
  [
    ["deploy", "--btach", "2"],
    "unknown option '--btach'\n(Did you mean --batch?)\n  next:  rota deploy --help",
  ],
  [["drain"], "missing required argument 'nodes'\n  next:  rota drain --help"],
  [["deploy", "--set", "RELEASE"], '--set "RELEASE" holds no "="; write KEY=VALUE'],
  [["deploy", "--set", "1X=2"], '"1X" is not a variable\'s name'],
  [["deploy", "--set", "ROTA_NODE=2"], "not ROTA_…"],
  [["deploy", "--batch", "0"], '--batch "0": write a count of at least 1, or a percent such as 25%'],
  [["deploy", "--batch", "101%"], '--batch "101%"'],
  [["plan", "--min-serving", "-1"], "--min-serving"],
  [["plan", "--max-failures", "x"], '--max-failures "x": write a whole number'],
  [["drain", "web1", "--reason", "x", "--for", "30"], '--for "30": write a duration such as 30m'],
  [["plan"], "which inventory?"],
  [["plan", "-i", "/nowhere.yml"], "the inventory /nowhere.yml does not exist"],
])("rota %j is told as wrong, and what to type, at exit code 2", async (words, problem) => {
  const { code, out, err } = await rota(words);
  expect(code).toBe(2);
  expect(err).toContain(`rota: `);
  expect(err).toContain(problem);
  expect(err).not.toMatch(/\n\s+at /);
  expect(out).toBe("");
});

test("a wrong inventory is told with line and column, as JSON too, and costs nothing", async () => {
  const folder = await mkdtemp(join(tmpdir(), "rota-cli-"));
  try {
    await mkdir(join(folder, "inventories"));
    await writeFile(
      join(folder, "inventories/shop.yml"),
      "fleet: shop\nbalancers: { lb1: unix:/x }\npoolz: {}\n",
    );
    const { code, err } = await rota(["deploy"], { cwd: folder });
    expect(code).toBe(2);
    const { code: again, out } = await rota(["plan", "--json", "-i", join(folder, "inventories/shop.yml")]);
    expect(again).toBe(2);
    expect(JSON.parse(out)).toMatchObject({ error: { code: "INVENTORY" } });
    expect(err).toMatch(/shop\.yml:3:1 +unknown key "poolz"; did you mean "pools"\?/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("an inventory that says journal: shared refuses a change that nobody else would see", async () => {
  const folder = await mkdtemp(join(tmpdir(), "rota-cli-"));
  try {
    const inventory = join(folder, "shop.yml");
    await writeFile(
      inventory,
      "fleet: shop\njournal: shared\nbalancers: { lb1: unix:/nowhere/x.sock }\npools: { web: { nodes: { web1: 10.0.0.1 }, " +
        "restart: { via: command, run: x }, check: { url: 'http://{host}/' } } }\n",
    );
    const { code, err } = await rota(["rotate", "web1", "-i", inventory]);
    expect(code).toBe(3);
    expect(err).toContain("says journal: shared, and $ROTA_JOURNAL names none");
    const named = await rota(["rotate", "web1", "-i", inventory], {
      env: { ROTA_JOURNAL: `sqlite:${folder}/journal.db` },
    });
    expect(named.err).toContain("there is no socket at /nowhere/x.sock");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
