import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hooks } from "../../src/restart/node-files.ts";
import { afterAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
execFileSync(join(root, "scripts/rota"), ["--version"]); // builds, if it must

const folder = mkdtempSync(join(tmpdir(), "rota-completion-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
symlinkSync(join(root, "dist/bin/rota.js"), join(folder, "rota"));
writeFileSync(
  join(folder, "shop.yml"),
  `fleet: shop
balancers: { lb1: "unix:/nowhere/a.sock", "lb-2": "unix:/nowhere/b.sock" }
pools:
  web: { nodes: { "web[1:2]": "10.0.0.[1:2]" }, needs: [RELEASE], restart: { via: none }, check: { url: "http://{host}/" } }
  api: { nodes: { api1: 10.0.0.9 }, restart: { via: none }, check: { url: "http://{host}/" } }
`,
);

const env = {
  ...process.env,
  PATH: `${folder}:${process.env["PATH"]}`,
  ROTA_INVENTORY: join(folder, "shop.yml"),
  ROTA_JOURNAL: `sqlite:${join(folder, "journal.db")}`,
  HOME: folder,
};
for (const name of ["ann", "arno", "bob"])
  execFileSync(join(folder, "rota"), ["token", "add", name], { env, stdio: "ignore" });
const run = (program: string, args: string[]): string =>
  execFileSync(program, args, { cwd: folder, env, encoding: "utf8", timeout: 60_000 });
/** Asked for once: a line of a shell's start file does it at each start, and each start of rota is most of a test. */
const scripts = mkdtempSync(join(folder, "scripts-"));
for (const shell of ["bash", "fish", "zsh"])
  writeFileSync(join(scripts, shell), run(join(folder, "rota"), ["completion", shell]));
const sorted = (text: string): string[] => text.trim().split("\n").filter(Boolean).toSorted();

/** As bash calls a completion: what is already on the line past the last word break is what is replaced. */
const inBash = (line: string): string[] =>
  sorted(
    run("bash", [
      "--norc",
      "-c",
      `source ${scripts}/bash; COMP_LINE=$1 COMP_POINT=\${#1}; _rota; printf "%s\\n" "\${COMPREPLY[@]}"`,
      "bash",
      line,
    ]),
  );

const inFish = (line: string): string[] =>
  sorted(run("fish", ["--no-config", "-c", `source ${scripts}/fish; complete -C $argv[1]`, line])).map(
    (found) => found.split("\t")[0] ?? "",
  );

/** What zsh would insert: the calls that it makes are listed instead of shown, for it shows nothing without a terminal. */
const inZsh = (line: string): string[] =>
  sorted(
    run("zsh", [
      "-f",
      "-c",
      `compdef() { : }; source ${scripts}/zsh
       _describe() { local one; for one in \${(P)4}; do print -r -- "\${one%%:*}"; done }
       compadd() { shift 3; print -rl -- "$@" }
       _files() { print -r -- FILES }
       words=(\${(z)1}); [[ $1 == *' ' ]] && words+=(''); CURRENT=$#words; _rota`,
      "zsh",
      line,
    ]),
  );

const asked: [line: string, found: string[], inBash?: string[]][] = [
  ["rota dr", ["drain"]],
  ["rota drain ", ["@api", "@web", "api1", "web1", "web2"]],
  ["rota drain web1 w", ["web2"]],
  ["rota drain @a", ["@api"]],
  ["rota drain --skip=w", ["--skip=web1", "--skip=web2"], ["web1", "web2"]],
  ["rota deploy --set ", ["RELEASE="]],
  ["rota deploy --min", ["--min-serving"]],
  ["rota drain web1 --tolerate lb", ["lb-2", "lb1"]],
  ["rota ready --reason x --skip", []],
  ["rota hooks ", Object.keys(hooks).toSorted()],
  ["rota token ", ["--help", "add", "list", "remove"]],
  ["rota token add ann --role ", ["operator", "viewer"]],
  ["rota token remove a", ["ann", "arno"]],
  ["rota completion ", ["bash", "fish", "zsh"]],
];

test.each(asked)("bash completes %j", (line, found, own = found) => {
  expect(inBash(line)).toEqual(own);
});

test.each(asked.filter(([, found]) => found.length > 0))("fish completes %j", (line, found) => {
  expect(inFish(line)).toEqual(found);
});

test.each(asked)("zsh completes %j", (line, found) => {
  expect(inZsh(line)).toEqual(found.length === 0 ? ["FILES"] : found);
});

test("nothing on the line is run", () => {
  const line = `rota drain $(touch ${folder}/ran) \`touch ${folder}/ran\` '; touch ${folder}/ran' `;
  for (const shell of [inBash, inFish, inZsh]) shell(line);
  expect(run("ls", [folder])).not.toContain("ran");
});

test("an inventory that is wrong, or none, offers nothing and says nothing", () => {
  expect(
    execFileSync(join(folder, "rota"), ["complete", "--", "drain", ""], {
      cwd: "/",
      env: { ...env, ROTA_INVENTORY: "/nowhere.yml" },
      encoding: "utf8",
    }),
  ).toBe("");
});

test("a journal is not brought up to date by a Tab", () => {
  const journal = join(folder, "earlier.db");
  writeFileSync(journal, "");
  execFileSync(join(folder, "rota"), ["complete", "--", "show", ""], {
    cwd: folder,
    env: { ...env, ROTA_JOURNAL: `sqlite:${journal}` },
  });
  expect(statSync(journal).size).toBe(0);
});
