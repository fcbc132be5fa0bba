// Builds dist/: the library as plain tsc output, and the program as a bundle that starts fast.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);

rmSync("dist", { recursive: true, force: true });
execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });

// What `rota hooks` prints: read when it runs.
cpSync("src/restart", "dist/restart", { recursive: true, filter: (path) => !/\.ts$|__pycache__/.test(path) });

// The console's page: one script, and files that are served as they are.
await build({
  absWorkingDir: root,
  entryPoints: { page: "src/console/page/page.tsx" },
  outdir: "dist/console",
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  minify: true,
  logLevel: "warning",
});
cpSync("src/console/page", "dist/console", { recursive: true, filter: (path) => !/\.tsx?$/.test(path) });

// What talks to the network or holds native code stays outside: a security fix reaches users by an update.
const outside = ["axios", "ssh2", "libsql", "pg"];

/** Its fetch adapter looks for Node's own fetch, which is then loaded: a quarter of the time, for what nobody uses. */
const axiosAlone = `
  const unused = ["Request", "Response"].map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
  for (const [name] of unused) Object.defineProperty(globalThis, name, { value: undefined, configurable: true });
  try {
    module.exports = require("axios");
  } finally {
    for (const [name, as] of unused) if (as) Object.defineProperty(globalThis, name, as);
  }
`;

/** They are required and not imported: that takes half of the time, with their CommonJS files and all that these need. */
const required = {
  name: "required",
  setup(bundle) {
    bundle.onResolve({ filter: new RegExp(`^(${outside.join("|")})(/|$)`) }, ({ kind, path }) =>
      kind === "require-call" ? { path, external: true } : { path, namespace: "required" },
    );
    bundle.onLoad({ filter: /./, namespace: "required" }, ({ path }) => ({
      contents: path === "axios" ? axiosAlone : `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

await build({
  absWorkingDir: root,
  entryPoints: ["src/cli/rota.ts"],
  outdir: "dist/bin",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  plugins: [required],
  // Packages in CommonJS call require().
  banner: {
    js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
  // Less to read at each start; names stay, for the trace of a defect.
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: "warning",
});
chmodSync("dist/bin/rota.js", 0o755);
