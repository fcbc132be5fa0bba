/** Sites whose nodes run a release, and what they ran before. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FakeSite, type Overrides, fakeSite } from "../fakes/site.ts";

/** What the node runs is in a file of its login folder; release "bad" does not start. */
export const running: Overrides = {
  upgrade: 'echo "$RELEASE" >> upgrades; echo "$RELEASE" > current',
  restart: { run: '[ "$(cat current)" != bad ]' },
};
export const siteOf = (pool: Overrides = {}, nodes = 3): Promise<FakeSite> =>
  fakeSite({ nodes, pool: { ...running, ...pool } });

export const deploy = (site: FakeSite, release: string, ...words: string[]) =>
  site.rota("deploy", ...words, "--set", `RELEASE=${release}`);

/** As if it had been deployed: in the journal, and on the nodes. */
export async function ran(site: FakeSite, release: string, nodes = site.names): Promise<string> {
  await using journal = await site.journal();
  const set = { RELEASE: release };
  const start = { command: "deploy", fleet: "fake", by: "ada@here", reason: undefined, args: {} } as const;
  const run = await journal.begin({ ...start, set, nodes });
  for (const node of nodes) {
    await journal.stepStarted(run, node, "upgrade");
    await writeFile(join(site.host(node).folder, "current"), `${release}\n`);
    await journal.stepEnded(run, node, "upgrade", "done");
    await journal.nodeEnded(run, node, "back");
  }
  await journal.end(run, "done");
  return run;
}

export const lastRun = async (site: FakeSite): Promise<string> => {
  await using journal = await site.journal();
  return (await journal.runs("fake", 1))[0]?.run ?? "";
};

export const outcomeOf = async (site: FakeSite, run: string) => {
  await using journal = await site.journal();
  return (await journal.run(run))?.outcome;
};

export const currentOf = (site: FakeSite): Promise<string[]> =>
  Promise.all(
    site.names.map(async (node) =>
      (await readFile(join(site.host(node).folder, "current"), "utf8").catch(() => "")).trim(),
    ),
  );

export const statesOf = (site: FakeSite): string[] => site.names.map((node) => site.stateOf(node));
