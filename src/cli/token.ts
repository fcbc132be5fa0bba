/** Tokens of the console, kept in the journal as hashes. */
import { RotaError } from "../base/errors.ts";
import { columns } from "../board/width.ts";
import { hashOf, newToken } from "../console/people.ts";
import { shown } from "../inventory/names.ts";
import { openJournal, readJournal } from "../journal/open.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";

/** As it appears in the journal, beside what its owner did. */
const namePattern = /^[\w.@-]{1,64}$/;

/** @throws RotaError USAGE */
export async function addToken(name: string, role: string, io: Io): Promise<ExitCode> {
  if (!namePattern.test(name))
    throw new RotaError("USAGE", {
      problem: `${shown(name)} is no name for a token; letters, digits and _ . @ -`,
    });
  if (role !== "viewer" && role !== "operator")
    throw new RotaError("USAGE", { problem: `--role ${shown(role)}: write viewer or operator` });
  await using journal = await openJournal(io.env);
  const token = newToken();
  await journal.keepToken({ name, role, hash: hashOf(token) });
  io.err(`the token of ${name}, ${role}; it is shown this once:`);
  io.out(token);
  return Exit.ok;
}

export async function listTokens({ json }: { json?: boolean | undefined }, io: Io): Promise<ExitCode> {
  await using journal = await readJournal(io.env);
  const tokens = (await journal?.tokens()) ?? [];
  if (json) io.out(JSON.stringify(tokens));
  else if (tokens.length === 0) io.out("nobody has a token yet");
  else
    for (const line of columns([
      ["name", "role", "since"],
      ...tokens.map(({ name, role, created }) => [name, role, created.toISOString().slice(0, 10)]),
    ]))
      io.out(line);
  return Exit.ok;
}

/** @throws RotaError USAGE where there is none */
export async function removeToken(name: string, io: Io): Promise<ExitCode> {
  await using journal = await openJournal(io.env);
  if (!(await journal.removeToken(name)))
    throw new RotaError("USAGE", { problem: `${shown(name)} has no token`, next: "rota token list" });
  io.out(`${name} has no token any more`);
  return Exit.ok;
}
