/** The command line's definitions → man/rota.1, by roff's man macros (man(7)). Written by scripts/docs.ts. */
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { program } from "../src/cli/main.ts";
import type { Io } from "../src/cli/io.ts";

const nobody: Io = {
  out: () => undefined,
  err: () => undefined,
  outGone: () => false,
  env: {},
  cwd: "/",
  terminal: undefined,
  colourOut: false,
  width: 78,
  keyboard: undefined,
  questions: process.stderr,
};

export function manPage(): string {
  const rota = program(nobody, () => undefined);
  const help = rota.createHelp();
  const commands = help.visibleCommands(rota).filter((command) => command.name() !== "help");
  return [
    `.\\" Made from src/cli/define*.ts by scripts/docs.ts: change it there.`,
    `.TH ROTA 1 "" "rota ${rota.version() ?? ""}" "User Commands"`,
    ".SH NAME",
    "rota \\- rolling deploys over app nodes behind HAProxy",
    ".SH SYNOPSIS",
    ".B rota",
    ".I COMMAND",
    "[\\fINODE\\fR ...] [\\fB\\-i\\fR \\fIFILE\\fR] [\\fIOPTION\\fR ...]",
    ".SH DESCRIPTION",
    text(rota.description()),
    ".PP",
    text(sectionOf(after(rota), undefined)),
    ...preformatted(".SS Examples", sectionOf(after(rota), "Examples")),
    ".SH COMMANDS",
    ...commands.flatMap((command) => commandPage(command)),
    ".SH ENVIRONMENT",
    ...sectionOf(after(rota), "Environment")
      .split("\n")
      .flatMap((line) => {
        const [name = "", what = ""] = line.trim().split(/ {2,}/);
        return tagged(name, what);
      }),
    ".SH EXIT STATUS",
    ...sectionOf(after(rota), "Exit codes")
      .replaceAll("\n", " ")
      .split("·")
      .flatMap((one) => {
        const [code = "", ...what] = one.trim().split(/ +/);
        return tagged(code, what.join(" "));
      }),
    ".SH FILES",
    ...tagged(
      "inventories/*.yml",
      "the inventory, where neither -i nor $ROTA_INVENTORY names one and there is one only",
    ),
    ...tagged(
      "$XDG_STATE_HOME/rota/journal.db",
      "the journal, unless $ROTA_JOURNAL names another; without $XDG_STATE_HOME in ~/.local/state",
    ),
    ".SH SEE ALSO",
    ".BR haproxy (1),",
    ".BR ssh (1)",
    "",
  ].join("\n");
}

function commandPage(command: CommandUnknownOpts): string[] {
  const help = command.createHelp();
  const usage = help.commandUsage(command).replace(/ \[options\]/, "");
  return [
    `.SS ${escaped(usage)}`,
    text(`${capital(command.description())}.`),
    ...help
      .visibleOptions(command)
      .filter(({ long }) => long !== "--help")
      .flatMap((option) => tagged(option.flags, option.description)),
    ...preformatted(".PP\nExamples:\n.PP", sectionOf(after(command), "Examples")),
    ...command.commands.flatMap((inner) => commandPage(inner)),
  ];
}

/** What is said after the options: commander has it only as something to print. */
function after(command: CommandUnknownOpts): string {
  let said = "";
  command.configureOutput({ writeOut: (part) => void (said += part) });
  command.outputHelp();
  return said.slice(command.helpInformation().length);
}

/** What stands under "Title:", or before the first title: up to the next empty line. */
function sectionOf(said: string, title: string | undefined): string {
  const parts = said.trim().split(/\n\n+/);
  const found =
    title === undefined
      ? parts.find((part) => !/^[A-Z][a-z ]+:/.test(part))
      : parts.find((part) => part.startsWith(`${title}:`))?.slice(title.length + 1);
  return (found ?? "").replace(/^\n/, "");
}

const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);

const tagged = (tag: string, what: string): string[] => [".TP", `.B ${escaped(tag)}`, text(what)];

const preformatted = (title: string, lines: string): string[] =>
  lines === "" ? [] : [title, ".nf", ...lines.split("\n").map((line) => guarded(escaped(line))), ".fi"];

/** A line that begins with a dot or an apostrophe would be a request. */
const guarded = (line: string): string => (/^[.']/.test(line) ? `\\&${line}` : line);

const text = (words: string): string =>
  words
    .split("\n")
    .map((line) => guarded(escaped(line)))
    .join("\n");

const escaped = (words: string): string =>
  words
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll("·", "\\(bu")
    .replaceAll("…", "...")
    .replaceAll("→", "\\(->");
