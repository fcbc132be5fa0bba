import { isIPv4, isIPv6 } from "node:net";
import type { DirectAddress, StatsPage } from "./fleet.ts";

/** sun_path of unix(7), less its NUL. Node cuts a longer path, and connects to whatever listens there. */
const longestPath = 107;

/** An SSH host as it is written; what is left out comes from elsewhere. */
export interface WrittenHost {
  user: string | undefined;
  host: string;
  port: number | undefined;
}

/** A socket's address as it is written. */
export type WrittenSocket = DirectAddress | ({ kind: "ssh"; path: string } & WrittenHost);

/** How a balancer's address is written: its socket, or its statistics page. */
export type WrittenAddress = WrittenSocket | StatsPage;

/** `unix:/path`, `tcp://host:port` or `ssh://[user@]host[:port]/path`, an IPv6 host in brackets; undefined for anything else. */
export function parseSocket(text: string): WrittenSocket | undefined {
  const path = /^unix:(\/\P{Cc}+)$/u.exec(text)?.[1];
  if (path !== undefined) return isPath(path) ? { kind: "unix", path } : undefined;
  if (text.startsWith("ssh://")) return parseThroughSsh(text.slice("ssh://".length));
  const [, inBrackets, plain, digits] = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const host = inBrackets ?? plain;
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  return (inBrackets === undefined ? isHost(host) : isIPv6(host)) ? { kind: "tcp", host, port } : undefined;
}

function parseThroughSsh(text: string): WrittenSocket | undefined {
  const slash = text.indexOf("/");
  const host = parseSshHost(text.slice(0, Math.max(0, slash)));
  const path = text.slice(slash);
  return host && /^\/\P{Cc}+$/u.test(path) && isPath(path) ? { kind: "ssh", ...host, path } : undefined;
}

const isPath = (path: string): boolean => Buffer.byteLength(path) <= longestPath;

/** Stands in the `ssh` command that a person is told to try, so nothing that a shell reads. */
export const userPattern = /^[\p{L}\p{N}_.][\p{L}\p{N}_.@+\\-]*$/u;

/** `[user@]host[:port]`, an IPv6 host in brackets; undefined for anything else. */
export function parseSshHost(text: string): WrittenHost | undefined {
  // A user's name may itself hold an @, a host's may not.
  const at = text.lastIndexOf("@");
  const user = at < 0 ? undefined : text.slice(0, at);
  if (user !== undefined && !userPattern.test(user)) return undefined;
  const [, inBrackets, plain, digits] =
    /^(?:\[([^\]]+)\]|([^:/[\]]+))(?::(\d{1,5}))?$/.exec(text.slice(at + 1)) ?? [];
  const host = inBrackets ?? plain;
  const port = digits === undefined ? undefined : Number(digits);
  if (host === undefined || (port !== undefined && (port < 1 || port > 65_535))) return undefined;
  return (inBrackets === undefined ? isHost(host) : isIPv6(host)) ? { user, host, port } : undefined;
}

/** The URL of a statistics page. No password: it would be shown wherever the address is. */
function parseStatsPage(text: string): StatsPage | undefined {
  if (!/^https?:\/\/[^\s\p{Cc};?#@]+$/u.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text).pathname === "/" && !text.endsWith("/") ? undefined : { kind: "http", url: text };
}

/** How a balancer is reached: at its runtime socket, or at its statistics page; undefined for anything else. */
export const parseAddress = (text: string): WrittenAddress | undefined =>
  parseSocket(text) ?? parseStatsPage(text);

/** A host's name or address, without brackets and without a port. */
export function isHost(text: string): boolean {
  // A zone, as in fe80::1%eth0, has no place in a check's URL (WHATWG URL §3.5).
  if (text.includes(":")) return isIPv6(text) && !text.includes("%");
  // What is made of digits is meant as an address; 10.0.1 and 10.0.1.256 are none.
  if (/^[\d.]+$/.test(text)) return isIPv4(text);
  return /^[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})$/.test(text);
}
