import fc from "fast-check";
import { expect, test } from "vitest";
import { type Act, readAct, wordsOf } from "../../src/console/acts.ts";

const reads = (body: unknown): boolean => {
  try {
    readAct(body);
    return true;
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: "USAGE" });
    return false;
  }
};

test.each<[Act, string[]]>([
  [
    { do: "drain", nodes: ["web1", "web2"], reason: "disk swap", for: "30m" },
    ["drain", "--reason=disk swap", "--yes", "--for=30m", "--", "web1", "web2"],
  ],
  [{ do: "ready", nodes: ["web1"] }, ["ready", "--yes", "--", "web1"]],
  [{ do: "rotate", nodes: ["@web"], reason: "leak" }, ["rotate", "--reason=leak", "--yes", "--", "@web"]],
  [
    { do: "deploy", nodes: [], set: { RELEASE: "42" }, batch: "1,25%" },
    ["deploy", "--yes", "--set=RELEASE=42", "--batch=1,25%", "--"],
  ],
  [{ do: "pause" }, ["pause"]],
  [{ do: "resume", run: "ab12", skip: ["web1"] }, ["resume", "--yes", "--skip=web1", "--", "ab12"]],
  [{ do: "abort", run: "ab12" }, ["abort", "--yes", "--", "ab12"]],
])("%j is a command line", (act, words) => {
  expect(wordsOf(readAct(act), "shop.yml").filter((word) => !/^--(inventory=|json$)/.test(word))).toEqual(
    words,
  );
  expect(wordsOf(act, "shop.yml")).toContain("--inventory=shop.yml");
});

test.each([
  null,
  [],
  "drain",
  {},
  { do: "prune" },
  { do: "unlock" },
  { do: "drain", nodes: ["web1"] }, // no reason
  { do: "drain", nodes: ["web1"], reason: "  " },
  { do: "drain", nodes: [], reason: "x" },
  { do: "drain", nodes: ["--force"], reason: "x" },
  { do: "drain", nodes: ["-i/tmp/mine.yml"], reason: "x" },
  { do: "drain", nodes: ["web1; reboot"], reason: "x" },
  { do: "drain", nodes: ["web1\nweb2"], reason: "x" },
  { do: "drain", nodes: ["web1"], reason: "x", force: true },
  { do: "drain", nodes: ["web1"], reason: "a\u0000b" },
  { do: "drain", nodes: ["web1"], reason: "x".repeat(501) },
  { do: "drain", nodes: ["web1"], reason: "x", for: "30m --force" },
  { do: "deploy", nodes: [], set: { "RELEASE=1 --force": "1" } },
  { do: "deploy", nodes: [], set: { RELEASE: "a\u0000b" } },
  { do: "deploy", nodes: [], set: { RELEASE: 42 } },
  { do: "resume", run: "last" },
  { do: "abort", run: "../../etc/passwd" },
])("%j is refused, and says where", (body) => {
  expect(reads(body)).toBe(false);
});

test("whatever text is given, it never becomes an option of its own", () => {
  const options = /^--(inventory|json|reason|yes|for|set|batch|retry|skip|)(=|$)/;
  const text = fc.oneof(fc.string(), fc.constantFrom("--force", "-y", "--", "--config=x", "=", "@web", "*"));
  const act = fc.oneof(
    fc.record({ do: fc.constant("drain"), nodes: fc.array(text), reason: text, for: text }),
    fc.record({
      do: fc.constant("deploy"),
      nodes: fc.array(text),
      set: fc.dictionary(text, text),
      reason: text,
    }),
    fc.record({ do: fc.constant("resume"), run: text, skip: fc.array(text), reason: text }),
  );
  fc.assert(
    fc.property(act, (body) => {
      if (!reads(body)) return;
      const [command, ...words] = wordsOf(readAct(body), "shop.yml");
      expect(command).toBe(body.do);
      const end = words.indexOf("--");
      for (const word of words.slice(0, end)) expect(word).toMatch(options);
      for (const word of words.slice(end + 1)) expect(word).not.toMatch(/^-/);
    }),
  );
});
