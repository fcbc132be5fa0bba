/** What makes a first inventory. */
import type { Command } from "@commander-js/extra-typings";
import { type Ends, collect, examples } from "./define.ts";
import type { Io } from "./io.ts";

const outputHelp = "write a new file instead of printing; one that exists is left alone";
const fleetHelp = "the name of the fleet; else that of this folder, or of this machine";

export function defineDrafts(rota: Command, io: Io, ends: Ends): void {
  rota
    .command("init")
    .description("a first inventory, from what running HAProxies say; changes nothing")
    .helpOption("-h, --help", "print this help")
    .option(
      "--socket <[NAME=]ADDRESS>",
      "a runtime socket, as in an inventory: unix:/PATH, tcp://HOST:PORT, ssh://[USER@]HOST/PATH; again for more (needed)",
      collect,
      [],
    )
    .option("--fleet <name>", fleetHelp)
    .option("--identity <file>", "the private key for ssh://; else the agent")
    .option("--known-hosts <file>", "the known_hosts file for ssh://; else ~/.ssh/known_hosts")
    .option("--jump <host>", "a host to go through for ssh://, [user@]host[:port]")
    .option("-o, --output <file>", outputHelp)
    .addHelpText(
      "after",
      examples(
        ["rota init --socket unix:/run/haproxy/admin.sock", "prints it"],
        [
          "rota init --socket unix:/run/haproxy/admin.sock -o shop.yml",
          "then: fill in, rota plan -i shop.yml",
        ],
        [
          "rota init --socket lb1=tcp://10.0.0.1:9999 --socket lb2=tcp://10.0.0.2:9999",
          "several, with names",
        ],
        [
          "rota init --socket ssh://deploy@lb1.example.net/run/haproxy/admin.sock",
          "a socket there, through SSH",
        ],
      ),
    )
    .action(async (options) => ends(await (await import("./init.ts")).init(options, io)));

  rota
    .command("import <format> <file>")
    .description("a first inventory, from one of Ansible's (format: ansible), INI or YAML")
    .helpOption("-h, --help", "print this help")
    .option(
      "--group <name>",
      "a group that becomes a pool; again for more. Else each that has hosts itself",
      collect,
      [],
    )
    .option(
      "--var <name>",
      "an Ansible variable that the nodes' commands get too; again for more",
      collect,
      [],
    )
    .option("--fleet <name>", fleetHelp)
    .option("-o, --output <file>", outputHelp)
    .addHelpText(
      "after",
      examples(
        ["rota import ansible hosts", "prints it"],
        ["rota import ansible inventory/production.yml --group web -o shop.yml", "one group, into a file"],
        ["rota import ansible hosts --var http_port", "with a variable, as $http_port and {http_port}"],
      ),
    )
    .action(async (format, file, options) =>
      ends((await import("./import.ts")).importFrom({ ...options, format, file }, io)),
    );
}
