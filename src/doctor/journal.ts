/** What is to be said of the journal. Pure. */
import { sayDuration } from "../base/duration.ts";
import { RotaError } from "../base/errors.ts";
import type { Absence } from "../rotation/records.ts";
import { type Finding, about } from "./findings.ts";

export interface JournalFacts {
  where: string;
  kind: "sqlite" | "postgres";
  /** The inventory wants one that others see, and $ROTA_JOURNAL names none. */
  lacksShared: boolean;
  /** Undefined where no run was ever recorded. */
  opened: Opened | RotaError | undefined;
}

export interface Opened {
  /** "SQLite 3.45.1" */
  version: string;
  /** Of the file. */
  mode: number | undefined;
  /** Milliseconds that its clock is ahead of ours. */
  ahead: number;
  /** Who changes the fleet now, in words; or whose process is gone. */
  holder: string | undefined;
  holderIsGone: boolean;
  /** Runs that nobody finished, in words, with what to type. */
  unfinished: { what: string; next: string }[];
  absences: Absence[];
}

/** @param inventory what a command needs to find the same inventory: " -i FILE", or nothing */
export function judgeJournal(
  { where, kind, lacksShared, opened }: JournalFacts,
  today: Date,
  inventory: string,
): Finding[] {
  const say = about("journal", kind === "sqlite" ? where : kind);
  const shared = lacksShared
    ? [
        say.bad(
          "journal-shared",
          "the inventory wants a journal that the team shares (journal: shared), and $ROTA_JOURNAL names none: changes are refused",
          "export ROTA_JOURNAL=postgres://… as the others have it",
        ),
      ]
    : [];
  if (opened instanceof RotaError)
    return [
      ...shared,
      say.bad("journal", opened.message, opened.next ?? "see that it can be read and written"),
    ];
  if (!opened) return [...shared, say.ok("journal", "no run was recorded yet; the first one makes it")];
  const mode = opened.mode === undefined ? undefined : opened.mode.toString(8).padStart(4, "0");
  const found = [
    ...shared,
    say.ok("journal", `opens (${opened.version}${mode === undefined ? "" : `, mode ${mode}`})`),
  ];
  if (opened.mode !== undefined && (opened.mode & 0o077) !== 0)
    found.push(
      say.warn(
        "journal-mode",
        `others can read or change it (mode ${mode})`,
        `chmod 600 ${where}, unless they are meant to`,
      ),
    );
  if (Math.abs(opened.ahead) > 2_000)
    found.push(
      say.warn(
        "journal-clock",
        `its clock is ${sayDuration(Math.abs(opened.ahead))} ${opened.ahead > 0 ? "ahead of" : "behind"} this machine's: leases go by its clock, and the times of steps and holds by that of whoever wrote them`,
        "time from one source on all machines: systemd-timesyncd, chrony",
      ),
    );
  if (opened.holder !== undefined)
    found.push(
      opened.holderIsGone
        ? say.warn(
            "journal-lease",
            `the lease is held by a process that is gone: ${opened.holder}`,
            "nothing: the next run takes it over; rota status shows what that one left",
          )
        : say.ok("journal-lease", `being changed now by ${opened.holder}`),
    );
  for (const { what, next } of opened.unfinished) found.push(say.warn("journal-unfinished", what, next));
  const overdue = opened.absences.filter(({ until }) => until !== undefined && until <= today);
  for (const { node, by, until } of overdue)
    found.push(
      about("journal", node).warn(
        "journal-overdue",
        `is held by ${by}, and was to be back ${sayDuration(today.getTime() - (until?.getTime() ?? 0))} ago`,
        `rota ready ${node}${inventory}, if it is well`,
      ),
    );
  return found;
}
