/** What `rota status` can show first, and what is typed then. */
import { appendFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { type FakeSite, fakeSite } from "../fakes/site.ts";
import { entriesIn, masked, nextIn, page } from "./page.ts";
import { deploy, failing, make, remove, takenBySomebody } from "./scenes.ts";
import { firstCommand, wordsIn } from "./typed.ts";

vi.setConfig({ testTimeout: 60_000, maxConcurrency: 4 }); // whole runs, on a machine that may be busy

interface Shown {
  /** The entry. */
  what: string;
  line: RegExp;
  site?: () => Promise<FakeSite>;
  begin: (site: FakeSite) => unknown;
  mend?: (site: FakeSite) => unknown;
  states?: string[];
}

const failed = async (site: FakeSite, ...words: string[]): Promise<void> => {
  await make("web1", "broken")(site);
  expect((await site.rota(...deploy, ...words)).code).toBe(1);
};

const lines: Shown[] = [
  {
    what: "! … should be out and is IN ROTATION",
    line: /^! web1 should/,
    begin: async (site) => {
      await failed(site);
      for (const lb of site.balancers) lb.reload();
    },
    states: ["drain", "ready"],
  },
  {
    what: "! … is out on one balancer only",
    line: /^! web1 is out on/,
    begin: async (site) => {
      site.balancer("lb2").always("reset");
      await failed(site, "--tolerate", "lb2");
      site.balancer("lb2").always(undefined);
    },
    states: ["maint and drain", "ready"],
  },
  {
    what: "! … is held past its time",
    line: /^! web1 is held/,
    begin: async (site) => {
      expect((await site.rota("drain", "web1", "--reason", "disk swap", "--for", "1h")).code).toBe(0);
      await using journal = await site.journal();
      const absence = (await journal.absences("fake")).get("web1");
      if (absence) await journal.takenOut("fake", { ...absence, until: new Date(Date.now() - 60_000) });
    },
  },
  { what: "run … failed, or is not finished", line: /^run /, begin: failed, mend: remove("web1", "broken") },
  {
    what: "! a balancer can't be read",
    line: /^! lb2/,
    begin: (site) => site.balancer("lb2").always("reset"),
    mend: (site) => site.balancer("lb2").always(undefined),
  },
  {
    what: "~ the balancers disagree",
    line: /^~ the balancers disagree/,
    begin: (site) => (site.balancer("lb2").server("app", "web1").admin = 8),
  },
  { what: "being changed by …", line: /^being changed/, begin: takenBySomebody },
];

test.concurrent.each(lines.map((shown): [string, Shown] => [shown.what, shown]))(
  "%s: what is typed next works as it stands",
  async (what, { line, site: make = () => fakeSite(failing), begin, mend, states = ["ready", "ready"] }) => {
    await using site = await make();
    await begin(site);
    const { out } = await site.rota("status");
    const said = out.split("\n").find((text) => line.test(text)) ?? "";
    const [quoted = "", entry = ""] = entriesIn(page()).get(what) ?? [];
    if (process.env["SHOW"]) appendFileSync(process.env["SHOW"], `\n### ${what}\n${masked(said || out)}\n`);
    await mend?.(site);
    const typed = said.includes("rota ")
      ? await wordsIn(firstCommand(said.slice(said.indexOf("rota "))))
      : [...(await wordsIn(nextIn(entry))), "-i", site.inventory];
    const { code, err } = await site.typed(typed.slice(1));
    expect(code, err).toBe(0);
    expect(site.names.map((node) => site.stateOf(node))).toEqual(states);
    expect((await site.rota("status")).out).not.toMatch(new RegExp(line.source, "m"));
    expect(masked(said)).toBe(masked(quoted));
  },
);
