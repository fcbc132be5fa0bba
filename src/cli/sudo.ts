import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { RotaError } from "../base/errors.ts";
import type { Node } from "../inventory/fleet.ts";
import { sshHosts } from "../remote/hosts.ts";
import type { Io } from "./io.ts";
import { untouched } from "./refuse.ts";
import { sshOf } from "./site.ts";

/**
 * The hosts of nodes, whose sudo may want a password (`ssh.sudo: password`): that of $ROTA_SUDO_PASSWORD, else one that
 * is asked for once, when it is needed.
 *
 * @param connectWithin milliseconds
 */
export const hostsFor = (
  io: Io,
  connectWithin: (node: { name: string }) => number,
): ReturnType<typeof sshHosts> =>
  sshHosts({
    connectWithin,
    ...sshOf(io.env),
    sudoPassword: (node) => passwordFor(node, io),
  });

const asked = new WeakMap<Io, Promise<string>>();

/** @throws RotaError USAGE where there is neither it nor a terminal, and for one that can't be sent as a line */
export async function passwordFor(node: Node, io: Io): Promise<string> {
  const known = asked.get(io) ?? Promise.resolve(io.env["ROTA_SUDO_PASSWORD"] ?? ask(node, io));
  asked.set(io, known);
  const password = await known;
  if (password !== "" && !/[\n\0]/.test(password)) return password;
  throw new RotaError("USAGE", {
    problem: `${node.name} needs the password of ${node.ssh.user} for sudo (ssh.sudo: password)`,
    left: untouched,
    next: "the same on a terminal, or with $ROTA_SUDO_PASSWORD set",
  });
}

/** Typed unseen; nothing at the end of the input, or where there is no terminal. */
async function ask({ ssh: { user } }: Node, { keyboard, questions }: Io): Promise<string> {
  if (!keyboard) return "";
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const asker = createInterface({ input: keyboard, output: unseen, terminal: true, historySize: 0 });
  const stop = new AbortController();
  asker.once("close", () => stop.abort());
  asker.once("SIGINT", () => asker.close());
  questions.write(`sudo's password for ${user} on the nodes: `);
  const typed = await asker.question("", { signal: stop.signal }).catch(() => "");
  asker.close();
  questions.write("\n");
  return typed;
}
