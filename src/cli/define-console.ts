/** The web console, and who may use it. */
import type { Command } from "@commander-js/extra-typings";
import { type DefineCommand, type Ends, collect, examples } from "./define.ts";
import type { Io } from "./io.ts";

export function defineConsole(rota: Command, command: DefineCommand, io: Io, ends: Ends): void {
  command("console", "the fleet, its runs and the hands for both, as a web page served by rota itself")
    .option("--listen <address:port>", "where; 0 is any port that is free", "127.0.0.1:7682")
    .option(
      "--name <host>",
      "a name by which browsers reach it, besides localhost; again for more",
      collect,
      [],
    )
    .option("--tls-cert <file>", "speak TLS with this certificate (PEM)")
    .option("--tls-key <file>", "and its key")
    .addHelpText(
      "after",
      examples(
        ["rota console", "on this machine only; prints an address that lets you in"],
        ["rota token add ann --role operator", "a token that stays, for a console that runs as a service"],
        ["rota console --listen :7682 --name rota.example.net", "behind a proxy that speaks TLS"],
      ),
    )
    .action(async (options) => ends(await (await import("./console.ts")).serve(options, io)));

  const token = rota
    .command("token")
    .description("who may use the console: add, list, remove")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .addHelpText(
      "after",
      examples(
        ["rota token add ann --role operator", "prints it once; only its hash is kept, in the journal"],
        ["rota token list", "whose there are"],
        ["rota token remove ann", "out at once"],
      ),
    );
  token
    .command("add <person>")
    .description("make a token for this person, in the place of an earlier one")
    .option("--role <viewer|operator>", "viewers look, operators act", "viewer")
    .helpOption("-h, --help", "print this help")
    .action(async (name, { role }) => ends(await (await import("./token.ts")).addToken(name, role, io)));
  token
    .command("list")
    .description("list whose tokens there are")
    .option("--json", "as JSON")
    .helpOption("-h, --help", "print this help")
    .action(async (options) => ends(await (await import("./token.ts")).listTokens(options, io)));
  token
    .command("remove <person>")
    .description("remove this person's token")
    .helpOption("-h, --help", "print this help")
    .action(async (name) => ends(await (await import("./token.ts")).removeToken(name, io)));
}
