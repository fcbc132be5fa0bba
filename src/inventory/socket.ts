import { isIPv4, isIPv6 } from "node:net";
import type { SocketAddress, StatsPage } from "./fleet.ts";

/** sun_path of unix(7), less its NUL. Node cuts a longer path, and connects to whatever listens there. */
const longestPath = 107;

/** `unix:/path` or `tcp://host:port`, an IPv6 host in brackets; undefined for anything else. */
export function parseSocket(text: string): SocketAddress | undefined {
  const path = /^unix:(\/\P{Cc}+)$/u.exec(text)?.[1];
  if (path !== undefined) return Buffer.byteLength(path) > longestPath ? undefined : { kind: "unix", path };
  const [, inBrackets, plain, digits] = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const host = inBrackets ?? plain;
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  return (inBrackets === undefined ? isHost(host) : isIPv6(host)) ? { kind: "tcp", host, port } : undefined;
}

/** The URL of a statistics page. No password: it would be shown wherever the address is. */
function parseStatsPage(text: string): StatsPage | undefined {
  if (!/^https?:\/\/[^\s\p{Cc};?#@]+$/u.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text).pathname === "/" && !text.endsWith("/") ? undefined : { kind: "http", url: text };
}

/** How a balancer is reached: at its runtime socket, or at its statistics page; undefined for anything else. */
export const parseAddress = (text: string): SocketAddress | StatsPage | undefined =>
  parseSocket(text) ?? parseStatsPage(text);

/** A host's name or address, without brackets and without a port. */
export function isHost(text: string): boolean {
  // A zone, as in fe80::1%eth0, has no place in a check's URL (WHATWG URL §3.5).
  if (text.includes(":")) return isIPv6(text) && !text.includes("%");
  // What is made of digits is meant as an address; 10.0.1 and 10.0.1.256 are none.
  if (/^[\d.]+$/.test(text)) return isIPv4(text);
  return /^[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})$/.test(text);
}
