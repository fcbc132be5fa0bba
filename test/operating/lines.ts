/** Each line that `rota status` can show first, the situation that it is for, and what a person mends before typing on. */
import { expect } from "vitest";
import { type FakeSite } from "../fakes/site.ts";
import { deploy, make, remove, takenBySomebody } from "./situation.ts";

export interface Shown {
  /** The entry. */
  what: string;
  line: RegExp;
  begin: (site: FakeSite) => unknown;
  mend?: (site: FakeSite) => unknown;
  states?: string[];
}

const failed = async (site: FakeSite, ...words: string[]): Promise<void> => {
  await make("web1", "broken")(site);
  expect((await site.rota(...deploy, ...words)).code).toBe(1);
};

export const lines: Shown[] = [
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
