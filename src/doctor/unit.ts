/** A systemd unit, and whether its restart starts what `current` leads to. Pure. Source: systemd.exec(5), systemd.service(5). */
import { printable } from "../base/quote.ts";
import type { Finding, Say } from "./findings.ts";

/**
 * @param to the folder of `release:`, if there is one
 * @param lines of `systemctl show`
 */
export function judgeUnit(unit: string, to: string | undefined, lines: string[], say: Say): Finding[] {
  const read = (key: string): string =>
    lines.find((line) => line.startsWith(`${key}=`))?.slice(key.length + 1) ?? "";
  const [load, active] = [read("LoadState"), read("ActiveState")];
  if (load === "")
    return [
      say.bad(
        "unit",
        `has no systemd that says anything of the unit ${unit}`,
        "restart: { via: command, … }",
      ),
    ];
  if (load !== "loaded")
    return [
      say.bad(
        "unit",
        `the unit ${unit} can't be restarted: ${printable(load)}`,
        load === "masked"
          ? `systemctl unmask ${unit}`
          : `restart.unit in the inventory; systemctl status ${unit} on the host`,
      ),
    ];
  return [
    active === "active"
      ? say.ok("unit", `the unit ${unit} is loaded and active`)
      : say.warn(
          "unit",
          `the unit ${unit} is ${printable(active)} (${printable(read("Result"))})`,
          `systemctl status ${unit} on the host`,
        ),
    ...(read("NeedDaemonReload") === "yes"
      ? [
          say.warn(
            "unit-stale",
            `the file of ${unit} has changed since systemd read it: a restart starts it as it was before`,
            "systemctl daemon-reload",
          ),
        ]
      : []),
    ...(to === undefined
      ? []
      : judgeLink(unit, to, [read("WorkingDirectory"), read("ExecStart")].join(" "), say)),
  ];
}

function judgeLink(unit: string, to: string, said: string, say: Say): Finding[] {
  const [fixed] = said.match(new RegExp(`${escaped(to)}/releases/[^\\s/;]+`)) ?? [];
  if (fixed !== undefined)
    return [
      say.bad(
        "unit-link",
        `the unit ${unit} names ${printable(fixed)}, the folder behind the link: each restart starts that release, whatever is deployed`,
        `${to}/current in WorkingDirectory and ExecStart instead; then systemctl daemon-reload`,
      ),
    ];
  if (said.includes(`${to}/current`))
    return [say.ok("unit-link", `the unit ${unit} starts what ${to}/current leads to`)];
  return [
    say.unseen(
      "unit-link",
      `whether the unit ${unit} starts what ${to}/current leads to: neither WorkingDirectory nor ExecStart names it`,
      `WorkingDirectory=${to}/current, if the app is to run from there`,
    ),
  ];
}

const escaped = (text: string): string => text.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&");
