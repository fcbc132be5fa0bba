/** The password that sudo wants on the nodes. */
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import type { Io } from "../../src/cli/io.ts";
import { passwordFor } from "../../src/cli/sudo.ts";
import { fakeHost } from "../fakes/ssh-host.ts";

/** Somebody who types this each time that something is asked; undefined: nobody, there is no terminal. */
function typing(answer: string | undefined, env: Io["env"] = {}): { io: Io; shown: () => string } {
  const questions = new PassThrough();
  const keyboard = new PassThrough();
  let shown = "";
  questions.on("data", (chunk: Buffer) => {
    shown += chunk.toString();
    if (shown.endsWith(": ")) setImmediate(() => keyboard.write(answer ?? ""));
  });
  // Only what asking needs.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const io = { questions, keyboard: answer === undefined ? undefined : keyboard, env } as unknown as Io;
  return { io, shown: () => shown };
}

test("is asked for once, for all nodes, and what is typed is not shown", async () => {
  await using host = await fakeHost();
  const { io, shown } = typing("s3cret pass\n");
  const both = await Promise.all([passwordFor(host.node("web1"), io), passwordFor(host.node("web2"), io)]);
  expect(both).toEqual(["s3cret pass", "s3cret pass"]);
  expect(shown()).toBe("sudo's password for deploy on the nodes: \n");
});

test("comes from the environment where it is there", async () => {
  await using host = await fakeHost();
  const { io, shown } = typing("another\n", { ROTA_SUDO_PASSWORD: "from there" });
  expect(await passwordFor(host.node("web1"), io)).toBe("from there");
  expect(shown()).toBe("");
});

test.each([
  ["nobody can be asked", undefined, {}],
  ["nothing is typed", "\n", {}],
  ["it has two lines", undefined, { ROTA_SUDO_PASSWORD: "one\ntwo" }],
])("is refused where %s", async (_, answer, env) => {
  await using host = await fakeHost();
  await expect(passwordFor(host.node("web1"), typing(answer, env).io)).rejects.toMatchObject({
    code: "USAGE",
    left: "nothing was touched",
  });
});
