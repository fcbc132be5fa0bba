import { stat } from "node:fs/promises";
import { createColors } from "picocolors";
import { RotaError } from "../base/errors.ts";
import { openWays } from "../balancer/ways.ts";
import { colours } from "../board/colours.ts";
import { doctorLines } from "../board/doctor.ts";
import { examine } from "../doctor/examine.ts";
import type { Finding } from "../doctor/findings.ts";
import { type Opened, judgeJournal } from "../doctor/journal.ts";
import { statusPages } from "../health/pages.ts";
import { aboutJournal } from "../journal/about.ts";
import { withoutPassword } from "../journal/database.ts";
import type { OpenJournal } from "../journal/journal.ts";
import { type JournalAddress, journalAddress, readJournal } from "../journal/open.ts";
import { isGone } from "../journal/process.ts";
import { valuesOf } from "../rotation/host.ts";
import type { Known } from "../rotation/records.ts";
import { addressesOf } from "./drift.ts";
import { Exit, type ExitCode } from "./exit.ts";
import { sayHolder } from "./holder.ts";
import type { Io } from "./io.ts";
import { type Site, type SiteArgs, openSite, sshOf } from "./site.ts";
import { hostsFor, passwordFor } from "./sudo.ts";
import { mostRuns, unfinishedOf } from "./unfinished-run.ts";
import { redactorOf, variablesOf } from "./variables.ts";
import { inventoryWords } from "./words.ts";

/** Every socket, host and page, and what will hurt. It changes nothing anywhere. */
export async function doctor(args: SiteArgs, io: Io): Promise<ExitCode> {
  await using site = openSite(args, io);
  const { fleet } = site;
  // Asked for before there is anything on the line.
  const asking = site.nodes.find(({ ssh }) => ssh.sudo === "password");
  if (asking) await passwordFor(asking, io);
  const progress = progressOn(io);
  const opened = await readJournal(io.env).catch(asFinding);
  await using journal = opened instanceof RotaError ? undefined : opened;
  const ofJournal = await judgedJournal(site, opened, inventoryWords(args.inventory), io);
  const lastSets = await lastSetsOf(site, journal);
  await using ways = openWays(sshOf(io.env));
  await using hosts = hostsFor(io, limitsOf(site));
  const found = await examine({
    fleet,
    nodes: site.nodes,
    survey: () => site.balancers.survey("read"),
    ways,
    hosts,
    health: statusPages(),
    addressesOf,
    valuesOf(node) {
      const { variables } = variablesOf(node, lastSets.get(node.name) ?? {}, fleet.name, io.env);
      return valuesOf({ node, variables });
    },
    today: new Date(),
    onProgress: progress.say,
  });
  progress.end();
  const redact = redactorOf(fleet, io.env);
  const findings = [...found, ...ofJournal].map((finding) => redacted(finding, redact));
  if (args.json) io.out(JSON.stringify({ fleet: fleet.name, findings }));
  else {
    const names = fleet.pools.flatMap(({ nodes }) => nodes.map(({ name }) => name));
    const width = Math.min(io.width, 120);
    const paint = colours(createColors(io.colourOut));
    for (const line of doctorLines({ fleet: fleet.name, findings, names }, width, paint)) io.out(line);
  }
  return findings.some(({ verdict }) => verdict === "bad") ? Exit.refused : Exit.ok;
}

const redacted = ({ next, ...finding }: Finding, redact: (text: string) => string): Finding => ({
  ...finding,
  text: redact(finding.text),
  ...(next === undefined ? {} : { next: redact(next) }),
});

/** One line on a terminal, and nothing elsewhere. */
function progressOn({ terminal }: Io): { say: (text: string) => void; end: () => void } {
  const clear = "\r\u001b[K";
  return {
    say: (text) => void terminal?.write(`${clear}${text}`),
    end: () => void terminal?.write(clear),
  };
}

const limitsOf =
  ({ fleet }: Site) =>
  ({ name }: { name: string }): number =>
    fleet.pools.find(({ nodes }) => nodes.some((node) => node.name === name))?.limits.connect ?? 10_000;

function asFinding(thrown: unknown): RotaError {
  if (thrown instanceof RotaError) return thrown;
  throw thrown;
}

async function lastSetsOf(
  { fleet, nodes }: Site,
  known: Known | undefined,
): Promise<Map<string, Record<string, string> | undefined>> {
  const sets = await Promise.all(nodes.map(async ({ name }) => known?.lastSet(fleet.name, name)));
  return new Map(nodes.map(({ name }, i) => [name, sets[i]]));
}

async function judgedJournal(
  { fleet }: Site,
  journal: OpenJournal | RotaError | undefined,
  inventory: string,
  { env }: Io,
): Promise<Finding[]> {
  const address = journalAddress(env);
  const where = address.kind === "sqlite" ? address.path : withoutPassword(address.url);
  const lacksShared = fleet.sharedJournal && !env["ROTA_JOURNAL"];
  const opened =
    journal && !(journal instanceof RotaError)
      ? await lookInto(journal, address, fleet.name, inventory).catch(asFinding)
      : journal;
  return judgeJournal({ where, kind: address.kind, lacksShared, opened }, new Date(), inventory);
}

async function lookInto(
  journal: OpenJournal,
  address: JournalAddress,
  fleet: string,
  inventory: string,
): Promise<Opened> {
  const [{ version, ahead }, holder, runs, absences] = await Promise.all([
    aboutJournal(address),
    journal.holderOf(fleet),
    journal.runs(fleet, mostRuns),
    journal.absences(fleet),
  ]);
  const lives = holder !== undefined && !isGone(holder);
  return {
    version,
    ahead,
    mode: address.kind === "sqlite" ? (await stat(address.path)).mode & 0o777 : undefined,
    holder: holder && sayHolder(holder, new Date()),
    holderIsGone: !lives,
    unfinished: lives ? [] : await unfinishedOf(journal, runs, inventory),
    absences: [...absences.values()],
  };
}
