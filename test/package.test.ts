import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

test("the runtime client can be imported for use alone, with nothing but its own dependencies", () => {
  execFileSync(join(root, "scripts/rota"), ["--version"]); // builds, if it must
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
