import { resolve } from "node:path";
import { stringify } from "yaml";
import { introductions } from "../balancer/introduction.ts";
import { RotaError } from "../base/errors.ts";
import { sketchFrom } from "../drafting/haproxy/from-haproxy.ts";
import type { Login } from "../drafting/sketch.ts";
import type { SocketBalancer } from "../inventory/fleet.ts";
import { thisMachine } from "../inventory/here.ts";
import { readInventory } from "../inventory/load.ts";
import { badName, namePattern, shown } from "../inventory/names.ts";
import { parseSocket, parseSshHost } from "../inventory/socket.ts";
import { type DraftArgs, fleetName, give } from "./draft.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { untouched } from "./refuse.ts";
import { sshOf } from "./site.ts";

export interface InitArgs extends DraftArgs {
  socket: string[];
  identity?: string | undefined;
  knownHosts?: string | undefined;
  jump?: string | undefined;
}

/** An inventory from what running HAProxies say. */
export async function init(args: InitArgs, io: Io): Promise<ExitCode> {
  const fleet = fleetName(args, io);
  const addresses = addressesOf(args.socket);
  const ssh = loginOf(args, io);
  const found = await introductions(balancersAt(addresses, ssh, io), sshOf(io.env));
  give(sketchFrom({ fleet, addresses, ssh, introductions: found }), args, io);
  return Exit.ok;
}

/** Name and address of each. @throws RotaError USAGE */
function addressesOf(words: string[]): Map<string, string> {
  const addresses = new Map<string, string>();
  if (words.length === 0) throw wrong("rota init asks a running HAProxy, and no --socket names one");
  for (const [i, word] of words.entries()) {
    const [, given, rest = word] = /^([^=:/]+)=(.*)$/.exec(word) ?? [];
    const name = given ?? `lb${i + 1}`;
    if (!namePattern.test(name) || name === "__proto__")
      throw wrong(`--socket ${shown(word)}: ${badName(name)}`);
    if (addresses.has(name))
      throw wrong(`--socket: the name ${name} is given twice; write --socket NAME=ADDRESS`);
    if (/^https?:/.test(rest))
      throw wrong(`--socket ${shown(rest)} is a statistics page, which does not tell enough`);
    if (!parseSocket(rest)) throw wrong(`--socket ${shown(rest)} is not a socket's address`);
    if ([...addresses.values()].includes(rest)) throw wrong(`--socket ${shown(rest)} is given twice`);
    addresses.set(name, rest);
  }
  return addresses;
}

const wrong = (problem: string): RotaError =>
  new RotaError("USAGE", {
    problem,
    left: untouched,
    next: "rota init --socket unix:/run/haproxy/admin.sock, or tcp://10.0.0.2:9999, or ssh://lb3.example.net/run/haproxy/admin.sock",
  });

/** Paths are as seen from here, wherever the inventory will lie. */
function loginOf({ identity, knownHosts, jump }: InitArgs, { cwd }: Io): Login {
  if (jump !== undefined && !parseSshHost(jump)) throw wrong(`--jump ${shown(jump)} is not an SSH host`);
  const path = (text: string): string => (text.startsWith("~/") ? text : resolve(cwd, text));
  return {
    ...(identity ? { identity: path(identity) } : {}),
    ...(knownHosts ? { known_hosts: path(knownHosts) } : {}),
    ...(jump === undefined ? {} : { jump }),
  };
}

/** As an inventory that had nothing but these would have them. */
function balancersAt(addresses: Map<string, string>, ssh: Login, { cwd }: Io): SocketBalancer[] {
  const only = {
    fleet: "none",
    balancers: Object.fromEntries(addresses),
    ssh,
    pools: {
      none: { nodes: { none: "localhost" }, restart: { via: "none" }, check: { url: "http://{host}/" } },
    },
  };
  const { balancers } = readInventory(stringify(only), "--socket", thisMachine(cwd));
  return balancers.filter((one): one is SocketBalancer => one.socket.kind !== "http");
}
