/** What a notice says, in each form. Pure. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { redactor } from "../../src/base/redact.ts";
import type { Event, EventBody } from "../../src/events/events.ts";
import { nothingYet, reduce } from "../../src/events/state.ts";
import { type Notice, gather, noticesOf } from "../../src/notices/notice.ts";
import { rotaBody } from "../../src/notices/body.ts";
import { longestMessage, slackBody } from "../../src/notices/slack.ts";
import { plainText } from "../../src/notices/words.ts";

const started = {
  at: "2026-11-27T10:00:00.000Z",
  type: "run started",
  run: "7f3a1c",
  command: "deploy",
  fleet: "shop",
  by: "ada@ci",
  reason: "the fix",
  set: { RELEASE: "42" },
  nodes: ["web1", "web2", "web3"],
  leftAlone: [],
} as const satisfies Event;

/** What a run with these events has to tell. */
function told(events: EventBody[], redact = (text: string): string => text): Notice[] {
  let state = reduce(nothingYet(), { ...started, nodes: [...started.nodes], leftAlone: [] });
  const first = { ...started, nodes: [...started.nodes], leftAlone: [] };
  const all = noticesOf(first, state, first, false, redact);
  for (const body of events) {
    const event: Event = { at: started.at, ...body };
    state = reduce(state, event);
    const before = all.some(({ kind }) => kind === "failure");
    all.push(...noticesOf(event, state, first, before, redact));
  }
  return all;
}

const ended = (node: string, why?: string): EventBody => ({
  type: "node ended",
  node,
  end: why === undefined ? "back" : "out",
  ms: 1,
  outMs: 1,
  ...(why === undefined ? {} : { why }),
});

const failed: EventBody = {
  type: "run ended",
  run: "7f3a1c",
  end: "failed",
  ms: 61_000,
  code: "WAIT_LIMIT",
  problem: "web2: waited 90s for web2 to be well: status 500",
  left: "web2 is out of rotation; web1 is back in rotation; web3 was not touched",
  next: "rota resume 7f3a1c --retry, once web2 can be well",
};

const only = (notices: Notice[], kind: Notice["kind"]): Notice => {
  const [found, ...others] = notices.filter((notice) => notice.kind === kind);
  if (!found || others.length > 0) throw new Error(`${others.length + 1} notices of ${kind}`);
  return found;
};

test("start, failure and end, in words", () => {
  const all = told([ended("web1"), ended("web2", "status 500"), failed]);
  expect(all.map(plainText)).toEqual([
    "deploy shop starts: 3 nodes\nrun: 7f3a1c, by ada@ci\nreason: the fix\nset: RELEASE=42",
    "deploy shop: web2 failed\nrun: 7f3a1c, by ada@ci\nfailed: web2 (out): status 500",
    [
      "deploy shop FAILED in 1m01s: 1 done, 1 failed, 1 left of 3 nodes",
      "run: 7f3a1c, by ada@ci",
      "reason: the fix",
      "set: RELEASE=42",
      "problem: web2: waited 90s for web2 to be well: status 500",
      "left: web2 is out of rotation; web1 is back in rotation; web3 was not touched",
      "next: rota resume 7f3a1c --retry, once web2 can be well",
    ].join("\n"),
  ]);
});

test("a hook that stops the run and a lost lease are failures; a person's second Ctrl-C is none", () => {
  const hook: EventBody = { type: "hook ended", hook: "before_batch", ok: false, ms: 1, why: "exit code 7" };
  expect(only(told([hook, failed]), "failure").failures).toEqual([
    { why: "hooks.before_batch: exit code 7" },
  ]);
  expect(only(told([{ type: "lease lost" }, failed]), "failure").failures).toEqual([
    { why: "the lease is lost: it stops before the next act" },
  ]);
  const stopped: EventBody = { type: "stopping", how: "now" };
  const interrupted = { ...failed, end: "interrupted" } as const;
  expect(told([stopped, ended("web2", "stopped"), interrupted]).map(({ kind }) => kind)).toEqual([
    "start",
    "end",
  ]);
});

test("a run that fails without a node is a failure too, told before its end", () => {
  expect(told([failed]).map(({ kind }) => kind)).toEqual(["start", "failure", "end"]);
});

test("a node's hook is told with its node, and not by itself", () => {
  const hook: EventBody = { type: "hook ended", hook: "after_node", node: "web2", ok: false, ms: 1 };
  expect(only(told([hook, ended("web2", "hooks.after_node: exit code 1")]), "failure").failures).toHaveLength(
    1,
  );
});

test("no secret is in it, not half a one either, and no control characters", () => {
  const secret = "hunter2-hunter2";
  const why = `${"x".repeat(490)}${secret}\u001b[2J\u202e`;
  const notice = only(told([ended("web2", why), failed], redactor([secret])), "failure");
  const text = JSON.stringify(rotaBody(notice)) + JSON.stringify(slackBody(notice));
  expect(text).toContain("xxx[secret");
  expect(text).not.toContain("hunter");
  expect(text).not.toMatch(/u001b|\u202e/);
});

test("a thousand failures make one notice of a bounded size", () => {
  const all = told(Array.from({ length: 1_000 }, (_, i) => ended(`web${i}`, "y".repeat(5_000))));
  const [first, ...others] = all.filter(({ kind }) => kind === "failure");
  if (!first) throw new Error("no failure");
  for (const other of others) gather(first, other);
  expect(first).toMatchObject({ more: 980 });
  expect(first.failures).toHaveLength(20);
  expect(plainText(first)).toMatch(/^deploy shop: 1000 nodes failed\n/);
  expect(plainText(first)).toMatch(/and 980 more$/);
  expect(JSON.stringify(rotaBody(first)).length).toBeLessThan(64_000); // it goes into an environment, too
});

test("the longest of notices fits into a variable of a command's environment", () => {
  const wide = "\u20ac".repeat(9_000);
  const all = told([ended("web2", wide), { ...failed, problem: wide, left: wide, next: wide }]);
  for (const notice of all) {
    notice.set = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`V${i}`, wide.slice(0, 300)]));
    expect(Buffer.byteLength(JSON.stringify(rotaBody(notice)))).toBeLessThan(100_000);
  }
});

test("in Slack: bold and code, and what was typed is there to be pasted", () => {
  const { text } = slackBody(only(told([ended("web2", "a & b < c"), failed]), "end"));
  expect(text.split("\n").slice(0, 4)).toEqual([
    "*deploy shop FAILED in 1m01s: 1 failed, 2 left of 3 nodes*",
    "run: 7f3a1c, by ada@\u200bci",
    "reason: `the fix`",
    "set: `RELEASE=42`",
  ]);
  expect(text).toContain("\nnext: `rota resume 7f3a1c --retry, once web2 can be well`");
  expect(slackBody(only(told([ended("web2", "a & b < c")]), "failure")).text).toContain(
    "\n```\nweb2 (out): a &amp; b &lt; c\n```",
  );
});

test("whatever an app says, a message in Slack's form is bounded, calls nobody and leaves no code open", () => {
  const nasty = fc.array(
    fc.oneof(
      fc.constantFrom(
        "<!channel>",
        "@here",
        "@everyone",
        "```",
        "`",
        "<@U1>",
        "![](http://x/)",
        "&",
        "\n",
        "😀",
      ),
      fc.string({ unit: "binary" }),
    ),
    { maxLength: 400 },
  );
  fc.assert(
    fc.property(nasty, nasty, (why, reason) => {
      const notices = told([ended("web2", why.join("")), { ...failed, problem: why.join("") }]).map(
        (notice) => ({
          ...notice,
          reason: reason.join(""),
        }),
      );
      for (const notice of notices) {
        const { text } = slackBody(notice);
        expect(text.length).toBeLessThanOrEqual(longestMessage);
        expect(text).not.toMatch(/[<>]|@(?!\u200b)|&(?!amp;|lt;|gt;)/);
        expect(text.replaceAll("```", "").split("`").length % 2).toBe(1);
        expect(text.split("```").length % 2).toBe(1);
      }
    }),
  );
});
