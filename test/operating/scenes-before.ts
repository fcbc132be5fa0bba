/** Situations in which rota does not begin, or the balancers and the journal stop it. */
import { rm, writeFile } from "node:fs/promises";
import Database from "libsql";
import { expect } from "vitest";
import { fakeSite } from "../fakes/site.ts";
import {
  type Scene,
  deploy,
  make,
  remove,
  rewritten,
  journalFile,
  runsOf,
  onlyWeb1,
  failing,
  takenBySomebody,
} from "./situation.ts";

export const beforeNodes: Scene[] = [
  {
    code: "USAGE",
    site: () => fakeSite(failing),
    begin: async (site) => {
      await make("web1", "broken")(site);
      await site.rota(...deploy);
    },
    words: ["resume"],
    mend: remove("web1", "broken"),
  },
  {
    code: "INVENTORY",
    site: () => fakeSite(),
    begin: rewritten("restart:", "restrat:"),
    mend: rewritten("restrat:", "restart:"),
  },
  {
    code: "JOURNAL",
    site: () => fakeSite(),
    begin: (site) => writeFile(journalFile(site), "this is no journal, but a text of some length"),
    mend: (site) => rm(journalFile(site)),
  },
  {
    code: "JOURNAL_NEWER",
    site: () => fakeSite(),
    begin: async (site) => {
      await site.rota(...deploy);
      const db = new Database(journalFile(site));
      db.exec("insert into kysely_migration (name, timestamp) values ('9999-later', '2099')");
      db.close();
    },
  },
  {
    code: "LEASE_HELD",
    site: () => fakeSite(),
    begin: async (site) => {
      await takenBySomebody(site);
      setTimeout(() => void site.rota("unlock", "--yes"), 1500);
    },
  },
  {
    code: "LEASE_LOST",
    site: () => fakeSite({ pool: { upgrade: "sleep 1" } }),
    begin: (site) => site.atStep("web1", "upgrade", () => void site.rota("unlock", "--yes")),
    states: [expect.stringMatching(/^(drain|maint)$/), "ready"], // as far as it was told, when it was not to act any more
  },
  {
    code: "REFUSED",
    site: () => fakeSite(),
    begin: async (site) => {
      await site.rota(...deploy);
      await site.rota("deploy", "--set", "RELEASE=3", "web2");
    },
    words: async (site) => ["rollback", (await runsOf(site)).at(-1) ?? ""],
  },
  {
    code: "REFUSED",
    what: "a balancer of --tolerate answers again",
    site: () => fakeSite({ nodes: 3 }),
    begin: (site) => {
      site.balancer("lb2").always("reset");
      site.atStep("web2", "survey", () => site.balancer("lb2").always(undefined));
    },
    words: [...deploy, "--tolerate", "lb2"],
  },
  {
    code: "CAPACITY",
    site: () => fakeSite(),
    begin: (site) => site.rota("drain", "web2", "--reason", "disk swap"),
    words: onlyWeb1,
    states: ["ready", "drain"],
  },
  {
    code: "BALANCER_UNREACHABLE",
    site: () => fakeSite(),
    begin: (site) => site.balancer("lb2").always("reset"),
  },
  {
    code: "BALANCER_ANSWER",
    site: () => fakeSite(),
    begin: (site) => site.balancer("lb2").always({ answer: "220 mail.example.com ESMTP\n\n".repeat(9) }),
    mend: (site) => site.balancer("lb2").always(undefined),
  },
  {
    code: "BALANCER_RIGHTS",
    site: () => fakeSite(),
    begin: (site) => (site.balancer("lb2").level = "operator"),
    mend: (site) => (site.balancer("lb2").level = "admin"),
  },
  {
    code: "SERVER_MISSING",
    site: () => fakeSite(),
    begin: (site) => site.balancer("lb2").removeServer("app", "web2"),
    mend: (site) => site.balancer("lb2").addServer("app", "web2"),
  },
];
