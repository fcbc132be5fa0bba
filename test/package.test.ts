import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, matchesGlob } from "node:path";
import { afterAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
execFileSync(join(root, "scripts/rota"), ["--version"]); // builds, if it must

const folder = mkdtempSync(join(tmpdir(), "rota-package-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const npm = (cwd: string, ...words: string[]): string =>
  execFileSync("npm", [...words, "--no-audit", "--no-fund", "--loglevel=error"], { cwd, encoding: "utf8" });

/** Of the table in docs/architecture.md, "The package". */
function patterns(): string[] {
  const page = readFileSync(join(root, "docs/architecture.md"), "utf8");
  const rows = page.slice(page.indexOf("## The package")).match(/^\| `.*? \|/gm) ?? [];
  return rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map(([, pattern = ""]) => pattern));
}

test("the tarball installs into a clean folder and runs there, and what each file in it is for is known", () => {
  const packed: { filename: string; files: { path: string }[] }[] = JSON.parse(
    npm(root, "pack", "--json", "--ignore-scripts", "--pack-destination", folder),
  );
  const [{ filename, files } = { filename: "", files: [] }] = packed;
  const known = patterns();
  const paths = files.map(({ path }) => path);
  expect(paths.filter((path) => !known.some((pattern) => matchesGlob(path, pattern)))).toEqual([]);
  expect(known.filter((pattern) => !paths.some((path) => matchesGlob(path, pattern)))).toEqual([]);

  const clean = mkdtempSync(join(folder, "clean-"));
  writeFileSync(join(clean, "package.json"), '{ "name": "clean", "private": true }');
  npm(clean, "install", "--ignore-scripts", "--prefer-offline", join(folder, filename));
  const { bin }: { bin: object } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const env = { ...process.env, ROTA_JOURNAL: `sqlite:${join(folder, "journal.db")}` };
  const rota = (...words: string[]): string =>
    execFileSync("npx", ["--no-install", ...Object.keys(bin), ...words], {
      cwd: clean,
      env,
      encoding: "utf8",
    });
  expect(rota("--version")).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(rota("hooks", "gunicorn")).toContain("GUNICORN_ROTA");
  // Balancers that are not there: whatever reads the inventory and opens sockets has been loaded.
  const inventory = join(clean, "node_modules/rota/inventories/two-nodes.yml");
  expect(() => rota("plan", "-i", inventory)).toThrow(/lb1: there is no socket at/);
  const library = `const { setState } = await import("rota/haproxy");
    console.log(setState({ backend: "app", server: "web3" }, "drain").line);`;
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", library], { cwd: clean });
  expect(said.toString()).toBe("set server app/web3 state drain\n");
}, 120_000);

test("the runtime client can be imported for use alone, with nothing but its own dependencies", () => {
  const script = `
    const { openRuntime, setState } = await import("rota/haproxy");
    console.log(typeof openRuntime, setState({ backend: "app", server: "web3" }, "drain").line);
    const runtime = openRuntime({ kind: "unix", path: "/nowhere/admin.sock" });
    await runtime.ask({ line: "show info", read: String }).catch((error) => console.log(error.name));
    const { createRequire } = await import("node:module");
    const { cache } = createRequire(process.cwd() + "/");
    console.log(Object.keys(cache).filter((path) => path.includes("/ssh2/")).length);
  `;
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: root });
  expect(said.toString()).toBe(
    "function set server app/web3 state drain\nNoAnswer\n0\n", // ssh2 is loaded for sockets behind SSH only
  );
});
