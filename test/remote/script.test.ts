import { spawnSync } from "node:child_process";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { remoteCommand as commandAs, scriptOnStdin } from "../../src/remote/script.ts";

const remoteCommand = commandAs("itself");

interface Ran {
  stdout: string;
  stderr: string;
  status: number | null;
}

/** As sshd does it: the login shell is given the command line, and the script comes on stdin. */
function feed(stdin: string | Buffer, shell = "/bin/sh", command = remoteCommand): Ran {
  const { stdout, stderr, status } = spawnSync(shell, ["-c", command], { input: stdin, encoding: "utf8" });
  return { stdout, stderr, status };
}
const run = (script: string, variables: Record<string, string> = {}): Ran =>
  feed(scriptOnStdin(script, variables));

test("every byte and every character comes through as the value of a variable", () => {
  const all = Array.from({ length: 0x24f }, (_, i) => String.fromCodePoint(i + 1)).join("") + "😀\n\n";
  const { stdout, stderr } = run('printf "%s" "$ALL"; printf . >&2', { ALL: all });
  expect(stdout).toBe(all);
  expect(stderr).toBe(".");
});

test("whatever a value holds, the shell takes it for text", () => {
  const nasty = fc.string({
    unit: fc.constantFrom("'", '"', "\\", "$(false)", "`false`", "\n", ";", "!", "#", "é", " ", "rota-end-"),
  });
  fc.assert(
    fc.property(nasty, (value) => {
      expect(run('printf "%s" "$A$A"', { A: value })).toEqual({
        stdout: value + value,
        stderr: "",
        status: 0,
      });
    }),
    { numRuns: 40 },
  );
});

test.each(["", "1A", "A B", "A=1", "A;id", "é", "A\n", "$(id)"])(
  "%j can't be the name of a variable",
  (name) => {
    expect(() => scriptOnStdin("true", { [name]: "" })).toThrow(RangeError);
  },
);

test("a NUL byte is refused, in a value and in the script", () => {
  expect(() => scriptOnStdin("true", { A: "a\0b" })).toThrow(RangeError);
  expect(() => scriptOnStdin("tr\0ue", {})).toThrow(RangeError);
});

test("a script that was cut anywhere does nothing at all and says so", () => {
  const script = "echo ran; : end\necho ran again\n";
  const whole = scriptOnStdin(script, { A: "it's\n" });
  for (let length = 0; length < whole.length; length++) {
    const { stdout, stderr, status } = feed(whole.slice(0, length));
    expect({ length, stdout, status }).toEqual({ length, stdout: "", status: 75 });
    expect(stderr).toBe("rota: the script did not arrive whole; nothing was run\n");
  }
  expect(feed(whole)).toEqual({ stdout: "ran\nran again\n", stderr: "", status: 0 });
});

test("bash in the place of sh does the same", () => {
  const inBash = remoteCommand.replace("/bin/sh", "/bin/bash");
  const whole = scriptOnStdin('echo "$A"; false; echo ran', { A: "it's" });
  expect(feed(whole, "/bin/bash", inBash)).toEqual({ stdout: "it's\n", stderr: "", status: 1 });
  for (const length of [0, 1, 40, 60, whole.length - 1]) {
    expect(feed(whole.slice(0, length), "/bin/bash", inBash)).toMatchObject({ stdout: "", status: 75 });
  }
});

test("a command that fails in the middle stops the script", () => {
  expect(run("echo one\nfalse\necho two")).toMatchObject({ stdout: "one\n", status: 1 });
  expect(run("echo one; (exit 7); echo two")).toMatchObject({ stdout: "one\n", status: 7 });
});

test("a variable that is not set stops the script", () => {
  const { stdout, stderr, status } = run('echo one\necho "$RELEASE"\necho two');
  expect({ stdout, status }).toEqual({ stdout: "one\n", status: 2 });
  expect(stderr).toContain("RELEASE");
});

test("our own variables do not reach the script", () => {
  expect(run('echo "${rota_end-none} ${rota_script-none}"').stdout).toBe("none none\n");
  expect(run("env").stdout).not.toContain("rota-end");
});

test("the script finds stdin at its end", () => {
  expect(run('cat; read -r line || echo "nothing"')).toEqual({ stdout: "nothing\n", stderr: "", status: 0 });
});

test.each([
  ["no newline at its end", "echo ran"],
  ["newlines at its end", "echo ran\n\n\n"],
  ["a comment at its end", "echo ran # done"],
  ["a here document", "cat <<E\nran\nE"],
  ["an exit", "echo ran; exit 0; echo no"],
  ["a trap", "trap 'echo ran' EXIT"],
  ["a function", 'f() { echo "$1"; }\nf ran'],
])("a script with %s runs as it stands", (_, script) => {
  expect(run(script)).toEqual({ stdout: "ran\n", stderr: "", status: 0 });
});

test("a script of a megabyte arrives", () => {
  expect(run(`${": filler\n".repeat(120_000)}echo ran`)).toEqual({ stdout: "ran\n", stderr: "", status: 0 });
});

test("the command line is one that sh, csh and fish read alike", () => {
  const [, inside, end] = remoteCommand.split("'");
  expect(remoteCommand.split("'")).toHaveLength(3);
  expect(end).toBe(" rota");
  // csh: history and newlines, even between single quotes. fish: backslashes there.
  expect(inside).not.toMatch(/[!\\\n]/);
});
