/** What a server has counted since its worker began: from its row of `show stat`. Pure. */
import type { Counts, Tally } from "../rotation/ports.ts";
import { type Fields, countedIn, readCsv } from "./answers.ts";

export type TallyRow = Omit<Tally, "balancer" | "process">;

export const readTallies = (frame: string): TallyRow[] => readCsv(frame).map(readTallyRow);

const classes = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];

/** Management Guide §9.1. Without checks, theirs are empty too. */
export function readTallyRow(field: Fields): TallyRow {
  const count = (name: string): number => countedIn(field, name);
  const counts: Counts = {
    sent: field.count("stot"),
    running: field.count("scur"),
    answered: classes.reduce((sum, name) => sum + count(`hrsp_${name}`), 0),
    errors: count("hrsp_5xx"),
    refused: count("econ"),
    cut: count("srv_abrt"),
    abandoned: count("cli_abrt"),
    retried: count("wretr") + count("wredis"),
    failedChecks: count("chkfail"),
    downs: count("chkdown"),
  };
  return {
    backend: field.text("pxname"),
    server: field.text("svname"),
    status: field.text("status"),
    http: field.text("hrsp_5xx") !== "",
    counts,
    answerMs: count("rtime"),
  };
}
