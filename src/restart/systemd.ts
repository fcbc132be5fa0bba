/** An app that is a systemd service. Sources: systemctl(1), systemd.exec(5) "INVOCATION_ID", org.freedesktop.systemd1(5). */
import { RotaError } from "../base/errors.ts";
import { notYet, type Seen, yes } from "../base/poll.ts";
import type { RestartWay, Script } from "../rotation/restart-way.ts";

export function bySystemd(unit: string): RestartWay {
  const script = (run: string): Script => ({ run, variables: { ROTA_UNIT: unit } });
  return {
    act: script('systemctl --no-ask-password restart -- "$ROTA_UNIT"'),
    proof: {
      what: `a new process of the unit ${unit}`,
      look: script(look),
      pid: (now) => read(now).MainPID,
      unfit: (now) => whyUnfit(unit, read(now)),
      judge: (before, now) => judge(unit, read(before), read(now)),
    },
    evidence: script(evidence),
  };
}

const look = `said=$(systemctl show -p LoadState -p ActiveState -p SubState -p Result -p MainPID -p InvocationID -- "$ROTA_UNIT")
printf '%s ' $said`;

/** A user outside the groups adm and systemd-journal sees nothing of another's units. */
const evidence = `echo "the last lines of $ROTA_UNIT in the journal of systemd:"
journalctl --quiet --no-pager --output=short-iso --lines=50 --unit="$ROTA_UNIT"`;

interface Unit {
  LoadState: string;
  ActiveState: string;
  SubState: string;
  /** Of what ran last: success, exit-code, signal, timeout, oom-kill, start-limit-hit … */
  Result: string;
  /** "0" for none. */
  MainPID: string;
  /** Of this start of the unit; another one with each. */
  InvocationID: string;
}

function read(line: string | undefined): Partial<Unit> {
  const words = (line ?? "").trim().split(" ");
  return Object.fromEntries(
    words.map((word) => [word.split("=")[0] ?? "", word.slice(word.indexOf("=") + 1)]),
  );
}

function whyUnfit(unit: string, { LoadState }: Partial<Unit>): string | undefined {
  if (LoadState === "loaded") return undefined;
  if (LoadState === "not-found") return `there is no unit ${unit}`;
  if (LoadState === "masked") return `the unit ${unit} is masked (systemctl unmask ${unit})`;
  return `systemd says of the unit ${unit}: ${LoadState ?? "nothing"}`;
}

function judge(unit: string, before: Partial<Unit>, now: Partial<Unit>): Seen<undefined> {
  const { ActiveState = "unknown", SubState, Result, MainPID, InvocationID } = now;
  const state = `${unit} is ${ActiveState} (${SubState})`;
  // "activating (auto-restart)": it has died, and systemd tries once more.
  if (ActiveState === "failed" || ActiveState === "inactive")
    throw new RotaError("RESTART_UNPROVEN", { problem: `${state}, result ${Result}` });
  if (ActiveState !== "active")
    return notYet(Result === "success" ? state : `${state}; the last one ended with ${Result}`);
  if (InvocationID === before.InvocationID || (MainPID !== "0" && MainPID === before.MainPID))
    return notYet(`still the old one, ${MainPID}`);
  return yes(undefined);
}
