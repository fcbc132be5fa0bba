/** What one host says of itself: one script, which only looks. */
import { RotaError } from "../base/errors.ts";
import type { Node, Pool } from "../inventory/fleet.ts";
import { fill, placeholdersIn } from "../inventory/placeholders.ts";
import type { SshHosts } from "../remote/hosts.ts";
import type { Hosts } from "../rotation/ports.ts";

export interface HostFacts {
  node: Node;
  pool: Pool;
  seen: HostSeen | RotaError;
}

export interface HostSeen {
  /** Why the script could not be run to its end. */
  failed: string | undefined;
  /** What it said, by its first word. */
  said: ReadonlyMap<string, string[]>;
  /** Seconds that the host's clock is ahead of ours, as far as can be told. */
  ahead: number | undefined;
  /** Why there is no SFTP; undefined where there is, or nobody asked. */
  noSftp: string | undefined;
}

export async function hostFacts(
  { pool, node }: { pool: Pool; node: Node },
  values: Record<string, string>,
  hosts: SshHosts,
): Promise<HostFacts> {
  try {
    await hosts.open(node);
    const looked = await look({ pool, node }, values, hosts);
    return { node, pool, seen: { ...looked, noSftp: await whyNoSftp(pool, node, hosts) } };
  } catch (thrown) {
    if (!(thrown instanceof RotaError)) throw thrown;
    return { node, pool, seen: thrown };
  } finally {
    hosts.close(node);
  }
}

async function whyNoSftp({ release }: Pool, node: Node, hosts: SshHosts): Promise<string | undefined> {
  if (!release) return undefined;
  return await hosts.opensSftp(node).then(
    () => undefined,
    (thrown: unknown) => {
      if (thrown instanceof Error) return thrown.message;
      throw thrown;
    },
  );
}

/** Milliseconds. */
const lookWithin = 20_000;
/** Of what a host says; more would be no answer to this script. */
const mostLines = 200;

async function look(
  { pool, node }: { pool: Pool; node: Node },
  values: Record<string, string>,
  hosts: Hosts,
): Promise<Omit<HostSeen, "noSftp">> {
  const said = new Map<string, string[]>();
  const printed: string[] = [];
  let ahead: number | undefined;
  let lines = 0;
  const asked = Date.now() / 1_000;
  const outcome = await hosts.run(node, script, {
    variables: variablesFor(pool, values),
    within: lookWithin,
    signal: new AbortController().signal,
    onOutput({ text }) {
      if ((lines += 1) > mostLines) return;
      const [, word, value = ""] = /^rota-doctor: (\w+) ?(.*)$/.exec(text) ?? [];
      if (word === undefined) return void printed.push(text);
      said.set(word, [...(said.get(word) ?? []), value]);
      if (word === "clock") ahead = aheadOf(Number(value), asked, Date.now() / 1_000);
    },
  });
  const failed = outcome.kind === "done" ? undefined : [outcome.why, ...printed.slice(-3)].join("; ");
  return { failed, said, ahead };
}

/** Its clock says whole seconds: nothing within one is told. */
export function aheadOf(theirs: number, from: number, to: number): number | undefined {
  if (!Number.isFinite(theirs)) return undefined;
  if (theirs > to) return theirs - to;
  return theirs + 1 < from ? theirs + 1 - from : 0;
}

function variablesFor(pool: Pool, values: Record<string, string>): Record<string, string> {
  const { restart, release } = pool;
  const pidfile = known(pidfileOf(restart), values);
  const to = known(release?.to, values);
  const stats = restart.via === "uwsgi" ? known(restart.stats, values) : undefined;
  return {
    ...(stats === undefined ? {} : { ROTA_STATS: stats }),
    ...(to === undefined ? {} : { ROTA_TO: to }),
    ...(restart.via === "systemd" ? { ROTA_UNIT: restart.unit } : {}),
    ...(pidfile === undefined ? {} : { ROTA_PIDFILE: pidfile }),
  };
}

/** Undefined where a {NAME} in it has no value yet. */
export function known(template: string | undefined, values: Record<string, string>): string | undefined {
  const text = template === undefined ? undefined : fill(template, values);
  return text === undefined || placeholdersIn(text).length > 0 ? undefined : text;
}

export function pidfileOf(restart: Pool["restart"]): string | undefined {
  if (restart.via === "gunicorn") return restart.pidfile;
  return restart.via === "command" && restart.proof && "pidfile" in restart.proof
    ? restart.proof.pidfile
    : undefined;
}

/** Values reach it as variables; what it says for rota begins with "rota-doctor: ". It changes nothing. */
const script = `
say() { echo "rota-doctor: $*"; }
say clock "$(date +%s)"
say user "$(id -un)"
for tool in python3 flock tar systemctl; do
  if command -v "$tool" >/dev/null 2>&1; then say has "$tool"; fi
done
if [ "\${ROTA_TO-}" ]; then
  at=$ROTA_TO/releases
  while [ ! -d "$at" ] && [ "$at" != / ]; do at=$(dirname "$at"); done
  if [ -w "$at" ]; then say writable "$at"; else say locked "$at"; fi
  say free $(df -Pk "$at" | { read -r _; read -r _ _ _ free _; echo "$free"; })
  if [ -L "$ROTA_TO/current" ]; then
    if [ -d "$ROTA_TO/current" ]; then say current "$(readlink "$ROTA_TO/current")"
    else say dangling "$(readlink "$ROTA_TO/current")"; fi
  elif [ -e "$ROTA_TO/current" ]; then say folder; fi
fi
if [ "\${ROTA_UNIT-}" ] && command -v systemctl >/dev/null 2>&1; then
  systemctl show -p LoadState -p ActiveState -p Result -p NeedDaemonReload -p WorkingDirectory -p ExecStart -- "$ROTA_UNIT" |
    while IFS= read -r line; do say unit "$line"; done
fi
if [ -S "\${ROTA_STATS-}" ]; then say stats; fi
if [ "\${ROTA_PIDFILE-}" ]; then
  pid=$(cat "$ROTA_PIDFILE" 2>/dev/null) || pid=
  case $pid in
  "") say nopid ;;
  *[!0-9]*) say nopid ;;
  *)
    if [ -d "/proc/$pid" ]; then
      say process "$pid"
      say command "$(tr '\\000' ' ' <"/proc/$pid/cmdline" 2>/dev/null || :)"
    else say nopid; fi
    ;;
  esac
fi
`;
