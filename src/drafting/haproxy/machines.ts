/**
 * Server lines of all balancers → machines, as far as names and addresses tell. One name at one address is one node,
 * in however many backends. One name at two addresses is two nodes, unless that is in one backend of two balancers.
 */
import { isIP } from "node:net";
import type { Introduction, KnownServer } from "../../balancer/introduction.ts";
import { namePattern } from "../../inventory/names.ts";
import { isHost } from "../../inventory/socket.ts";
import { some } from "../remark.ts";

/** A server line, and whose it is. */
export interface Line extends KnownServer {
  balancer: string;
  /** The address, else the name that DNS did not resolve; undefined where there is neither. */
  host: string | undefined;
}

/** At least one. */
export type Some<T> = [T, ...T[]];

export interface Machine {
  server: string;
  host: string;
  lines: Some<Line>;
  remarks: string[];
}

export interface Sorted {
  machines: Machine[];
  /** Servers that become no node, and why. */
  left: string[];
}

/** "lb1/app" */
export const placeOf = ({ balancer, backend }: Pick<Line, "balancer" | "backend">): string =>
  `${balancer}/${backend}`;

export const unique = <T>(all: T[]): T[] => [...new Set(all)];

export function machinesIn(introductions: Introduction[]): Sorted {
  const left: string[] = [];
  const leave = (lines: Some<Line>, why: string): void => {
    const [{ server }] = lines;
    left.push(`${server} (${some(unique(lines.map(placeOf)))}): ${why}`);
  };
  const lines = introductions
    .flatMap(({ balancer, servers }) =>
      servers.map((server) => ({ ...server, balancer, host: hostOf(server) })),
    )
    .filter(({ backend }) => !backend.startsWith("<")); // HAProxy's own, such as its HTTP client's
  const usable = lines.filter((line) => {
    if (namePattern.test(line.server) && namePattern.test(line.backend)) return true;
    leave([line], "its name, or its backend's, is none that an inventory can have");
    return false;
  });
  const machines = bundlesOf(usable).flatMap((bundle) => {
    const why = whyNot(bundle, usable);
    if (why !== undefined || bundle.host === undefined) {
      leave(bundle.lines, why ?? "");
      return [];
    }
    return [{ ...bundle, host: bundle.host, remarks: [...conflict(bundle), ...follows(bundle, usable)] }];
  });
  return { machines: named(oneEach(machines, leave)), left };
}

/** What stands for "no address yet" where DNS has not answered. */
const unresolved = new Set(["0.0.0.0", "::"]);

function hostOf({ address, fqdn }: KnownServer): string | undefined {
  if (isIP(address) > 0 && !unresolved.has(address) && isHost(address)) return address;
  return fqdn !== undefined && isHost(fqdn) ? fqdn : undefined;
}

/** As a person wrote it in haproxy.cfg, where that name is of one machine only. */
function named(machines: Machine[]): Machine[] {
  const nameOf = (machine: Machine): string | undefined => machine.lines.find(({ fqdn }) => fqdn)?.fqdn;
  const names = machines.map(nameOf);
  return machines.map((machine, i) => {
    const name = names[i];
    const isOwn =
      name !== undefined &&
      isHost(name) &&
      name !== "localhost" &&
      names.indexOf(name) === names.lastIndexOf(name);
    return isOwn ? { ...machine, host: name } : machine;
  });
}

interface Bundle {
  server: string;
  host: string | undefined;
  lines: Some<Line>;
}

function bundlesOf(lines: Line[]): Bundle[] {
  const byName = new Map<string, Bundle[]>();
  for (const line of lines) {
    const same = byName.get(line.server) ?? [];
    byName.set(line.server, same);
    const bundle =
      same.find((one) => one.lines.some(({ backend }) => backend === line.backend)) ??
      same.find(({ host }) => host === line.host);
    if (!bundle) same.push({ server: line.server, host: line.host, lines: [line] });
    else {
      bundle.lines.push(line);
      bundle.host ??= line.host;
    }
  }
  return [...byName.values()].flat();
}

/** Why a server is no node; undefined where it can be one. */
function whyNot({ server, host, lines }: Bundle, all: Line[]): string | undefined {
  const [first] = lines;
  if (host === undefined) {
    const why =
      first.fqdn === undefined
        ? "no address of it is told: a Unix socket, as a rule"
        : "DNS has not answered";
    return `PROBLEM: ${why}; write ${server}: HOST into a pool by hand, with the host where its app runs`;
  }
  if (lines.every(({ backup }) => backup)) {
    return `a backup, which serves only where no other server does. To deploy to it too, write ${server}: ${host} into a pool`;
  }
  if (!lines.every(({ tracks }) => tracks !== "")) return undefined;
  const tracked = lines.map((line) => trackedBy(line, all));
  if (tracked.some((line) => line?.server === server)) return undefined;
  const what = unique(lines.map(({ tracks }) => tracks)).join(", ");
  return tracked.every((line) => line?.host === host)
    ? `follows ${what}, which is the same machine; it leaves and comes back with it`
    : `PROBLEM: its state follows ${what}, another machine, so it can't be taken out by itself`;
}

const trackedBy = ({ balancer, tracks }: Line, all: Line[]): Line | undefined =>
  all.find((line) => line.balancer === balancer && `${line.backend}/${line.server}` === tracks);

/** The same backend has it elsewhere on another balancer. */
function conflict({ host, lines }: Bundle): string[] {
  const others = lines.filter((line) => line.host !== undefined && line.host !== host);
  if (others.length === 0) return [];
  const said = unique(others.map((line) => `${line.host} on ${placeOf(line)}`)).join(", ");
  return [
    `PROBLEM: it is not the same everywhere: ${host} on ${lines[0].balancer}, but ${said}. If these are two machines, give that balancer an inventory of its own`,
  ];
}

function follows({ server, host, lines }: Bundle, all: Line[]): string[] {
  const strange = lines.filter((line) => {
    const tracked = line.tracks === "" ? undefined : trackedBy(line, all);
    return tracked !== undefined && tracked.server !== server && tracked.host !== host;
  });
  return strange.map(
    (line) => `PROBLEM: in ${placeOf(line)} its state follows ${line.tracks}, another machine`,
  );
}

/** One process under several names would be restarted several times, and served under the other names meanwhile. */
function oneEach(machines: Machine[], leave: (lines: Some<Line>, why: string) => void): Machine[] {
  const byEndpoint = new Map<string, Machine>();
  const chosen = machines.toSorted((a, b) => backendsOf(b).length - backendsOf(a).length);
  const twins = new Set<Machine>();
  for (const machine of chosen) {
    const endpoints = machine.lines.map(({ port }) => `${machine.host} ${port}`);
    const first = endpoints.map((one) => byEndpoint.get(one)).find((one) => one !== undefined);
    if (first === undefined) {
      for (const one of endpoints) byEndpoint.set(one, machine);
      continue;
    }
    twins.add(machine);
    const { server, host, lines } = machine;
    leave(
      lines,
      `PROBLEM: it is ${host}:${lines[0].port}, as ${first.server} is: rota takes out only ${first.server}, and requests still reach it here. In haproxy.cfg give it the name ${first.server}, or let it track ${first.lines[0].backend}/${first.server}`,
    );
    first.remarks.push(
      `PROBLEM: the same as ${server} in ${some(unique(lines.map(placeOf)))}: see the end of this file`,
    );
  }
  return machines.filter((machine) => !twins.has(machine));
}

export const backendsOf = ({ lines }: Machine): string[] => unique(lines.map(({ backend }) => backend));
