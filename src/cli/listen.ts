/** Where the console listens, by which names it is known, and how it speaks. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { createSecureContext } from "node:tls";
import { RotaError, messageOf } from "../base/errors.ts";
import type { Where } from "../console/server.ts";
import { shown } from "../inventory/names.ts";
import type { Io } from "./io.ts";

export interface ListenArgs {
  listen: string;
  name: string[];
  tlsCert?: string | undefined;
  tlsKey?: string | undefined;
}

/** @throws RotaError USAGE */
export const readWhere = (args: ListenArgs, io: Io): Where => ({
  ...readListen(args.listen),
  tls: tlsOf(args, io),
});

export const namesOf = ({ host }: Where, given: string[]): Set<string> =>
  new Set(
    ["localhost", "127.0.0.1", "[::1]", host.includes(":") ? `[${host}]` : host, hostname(), ...given].map(
      (name) => name.toLowerCase(),
    ),
  );

/** What others could read on its way, if so. */
export const isInTheClear = ({ host, tls }: Where): boolean =>
  tls === undefined && !/^(127\.|::1$|localhost$)/.test(host);

/** "127.0.0.1:7682", ":7682", "[::1]:7682". @throws RotaError USAGE */
function readListen(text: string): Pick<Where, "host" | "port"> {
  const [, host = "", port = ""] = /^(\[[0-9a-fA-F:.]+\]|[\w.-]*):(\d{1,5})$/.exec(text) ?? [];
  if (port === "" || Number(port) > 65_535)
    throw new RotaError("USAGE", {
      problem: `--listen ${shown(text)}: write an address and a port: 127.0.0.1:7682`,
    });
  return { host: host.replace(/^\[|\]$/g, "") || "127.0.0.1", port: Number(port) };
}

function tlsOf({ tlsCert, tlsKey }: ListenArgs, { cwd }: Io): Where["tls"] {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new RotaError("USAGE", { problem: "--tls-cert and --tls-key go together" });
  const read = (path: string): string => {
    try {
      return readFileSync(resolve(cwd, path), "utf8");
    } catch (thrown) {
      throw new RotaError("USAGE", { problem: `${path} can't be read: ${messageOf(thrown)}`, cause: thrown });
    }
  };
  const tls = { cert: read(tlsCert), key: read(tlsKey) };
  try {
    createSecureContext(tls);
  } catch (thrown) {
    throw new RotaError("USAGE", {
      problem: `${tlsCert} and ${tlsKey} are no certificate and its key: ${messageOf(thrown)}`,
      cause: thrown,
    });
  }
  return tls;
}
