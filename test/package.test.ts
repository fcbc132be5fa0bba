import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

test("the runtime client can be imported for use alone, with nothing but its own dependencies", () => {
  execFileSync(join(root, "scripts/rota"), ["--version"]); // builds, if it must
  const script = `
    const { openRuntime, setState } = await import("rota/haproxy");
    console.log(typeof openRuntime, setState({ backend: "app", server: "web3" }, "drain").line);
  `;
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: root });
  expect(said.toString()).toBe("function set server app/web3 state drain\n");
});
