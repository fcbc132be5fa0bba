/** The words that could stand next on a command line: by the definitions of the commands, the inventory and the journal. */
import type { CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { RotaError } from "../base/errors.ts";
import { sayDuration } from "../base/duration.ts";
import type { Fleet } from "../inventory/fleet.ts";
import { peekJournal } from "../journal/open.ts";
import { hooks } from "../restart/node-files.ts";
import { shells } from "./completion.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { fleetOf } from "./site.ts";

/** A word, and what it means. */
type Candidate = [word: string, what: string];

interface Typed {
  /** Of the inventory, where one was given. */
  inventory: string | undefined;
  words: string[];
  io: Io;
}

/** One candidate a line, with a tab before what it means. None: the shell offers files. Never fails: a shell asks at each key. */
export async function complete(rota: CommandUnknownOpts, words: string[], io: Io): Promise<ExitCode> {
  const found = await candidates(rota, words, io).catch((thrown: unknown) => {
    if (!(thrown instanceof RotaError)) throw thrown;
    return [];
  });
  const current = words.at(-1) ?? "";
  for (const [word, what] of found.filter(([one]) => one.startsWith(current)))
    io.out(what === "" ? word : `${word}\t${what}`);
  return Exit.ok;
}

async function candidates(rota: CommandUnknownOpts, words: string[], io: Io): Promise<Candidate[]> {
  const [name = "", ...rest] = words;
  const commands = rota.createHelp().visibleCommands(rota);
  const version: Candidate[] = rota.parent ? [] : [["--version", ""]];
  if (rest.length === 0) return [...commands.map(describe), ["--help", ""], ...version];
  const command = commands.find((one) => one.name() === name);
  if (!command) return [];
  if (command.commands.length > 0) return candidates(command, rest, io);
  const { current, pending, given, positionals } = walk(command, rest);
  const typed = { inventory: inventoryIn(rest), words: positionals, io };
  if (pending) return (await subjects[pending.long ?? ""]?.(typed)) ?? [];
  const assigned = /^(--[^=]+)=/.exec(current);
  if (assigned) {
    const [start = "", long = ""] = assigned;
    const values = (await subjects[long]?.(typed)) ?? [];
    return values.map(([word, what]) => [`${start}${word}`, what]);
  }
  if (current.startsWith("-")) return optionsOf(command, given);
  const all = command.registeredArguments;
  const argument = all[Math.min(positionals.length, all.length - 1)];
  if (!argument || (positionals.length >= all.length && !argument.variadic)) return [];
  return (await subjects[argument.name()]?.(typed)) ?? [];
}

const describe = (command: CommandUnknownOpts): Candidate => [command.name(), command.description()];

interface Walked {
  current: string;
  /** The option whose value is being typed. */
  pending: Option | undefined;
  given: Set<Option>;
  positionals: string[];
}

function walk(command: CommandUnknownOpts, words: string[]): Walked {
  const given = new Set<Option>();
  const positionals: string[] = [];
  let pending: Option | undefined;
  for (const word of words.slice(0, -1)) {
    const option = pending ? undefined : optionIn(command, word);
    if (pending) pending = undefined;
    else if (option) {
      given.add(option);
      pending = takesValue(option) && !word.includes("=") ? option : undefined;
    } else positionals.push(word);
  }
  return { current: words.at(-1) ?? "", pending, given, positionals };
}

const takesValue = ({ required, optional }: Option): boolean => required || optional;

const optionIn = ({ options }: CommandUnknownOpts, word: string): Option | undefined =>
  options.find(({ long, short }) => word === long || word === short || word.startsWith(`${long}=`));

/** Those that may be given again are those that begin with none. */
const optionsOf = (command: CommandUnknownOpts, given: Set<Option>): Candidate[] =>
  command
    .createHelp()
    .visibleOptions(command)
    .filter((option) => !given.has(option) || Array.isArray(option.defaultValue))
    .map(({ long, short, description }) => [long ?? short ?? "", description]);

function inventoryIn(words: string[]): string | undefined {
  const at = words.findLastIndex((word) => word === "-i" || word === "--inventory");
  return at >= 0 && at < words.length - 1
    ? words[at + 1]
    : words.find((word) => word.startsWith("--inventory="))?.slice("--inventory=".length);
}

const fleetFor = ({ inventory, io }: Typed): Fleet => fleetOf(inventory, io);

async function nodes(typed: Typed): Promise<Candidate[]> {
  const { pools } = fleetFor(typed);
  const all = pools.flatMap(({ name: pool, nodes: some }) =>
    some.map(({ name, host }): Candidate => [name, `${pool}, ${host}`]),
  );
  const whole = pools.map(({ name, nodes: some }): Candidate => [`@${name}`, `${some.length} nodes`]);
  return [...all, ...whole].filter(([word]) => !typed.words.includes(word));
}

async function runs(typed: Typed): Promise<Candidate[]> {
  // A journal that a team shares is not for a Tab to bring up to date: earlier rotas could use it no more.
  await using journal = await peekJournal(typed.io.env);
  const fleet = typed.inventory === undefined ? undefined : fleetFor(typed).name;
  const found = (await journal?.runs(fleet, 20)) ?? [];
  return found.map(({ run, command, fleet: of, outcome, started }) => {
    const ago = sayDuration(Date.now() - started.getTime());
    return [run, `${command} ${of}, ${outcome ?? "unfinished"}, ${ago} ago`];
  });
}

async function people({ io }: Typed): Promise<Candidate[]> {
  await using journal = await peekJournal(io.env);
  return ((await journal?.tokens()) ?? []).map(({ name, role }) => [name, role]);
}

/** What an option's value, or an argument, may be: by its name in the definitions. */
const subjects: Record<string, (typed: Typed) => Promise<Candidate[]>> = {
  nodes,
  node: nodes,
  "--skip": nodes,
  run: runs,
  "--tolerate": async (typed) => fleetFor(typed).balancers.map(({ name }): Candidate => [name, "a balancer"]),
  "--set": async (typed) =>
    [...new Set(fleetFor(typed).pools.flatMap(({ needs }) => needs))].map((key): Candidate => [
      `${key}=`,
      "",
    ]),
  person: people,
  "--role": async () => [
    ["viewer", "looks"],
    ["operator", "acts"],
  ],
  name: async () => Object.entries(hooks).map(([name, { what }]): Candidate => [name, what]),
  format: async () => [["ansible", "an inventory in INI or YAML"]],
  shell: async () => Object.keys(shells).map((name): Candidate => [name, ""]),
};
