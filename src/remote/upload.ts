/** A file to a host over SFTP, on the connection that is kept. What was sent before a cut is not sent again. */
import { messageOf, RotaError } from "../base/errors.ts";
import { printable } from "../base/quote.ts";
import { type LocalFile, sayBytes } from "../rotation/release/release.ts";
import type { UploadEnd, UploadOptions } from "../rotation/ports.ts";
import type { Connection } from "./connect.ts";
import { exec } from "./exec.ts";
import { Ended, sendRest } from "./sftp.ts";

/** @throws RotaError as a command on the host does */
export async function upload(
  connection: Connection,
  file: LocalFile,
  options: UploadOptions,
): Promise<UploadEnd> {
  try {
    const place = await placeOf(connection, options);
    mustFit(file, place);
    const isBegun = place.size > 0 && place.size <= file.size;
    const isWhole = isBegun && (await sent(connection, file, place, options));
    // What does not come out as it should is begun anew.
    if (!isWhole && !(await sent(connection, file, { ...place, size: 0 }, options)))
      return { kind: "failed", why: "it arrived as something else: did the file change meanwhile?" };
    return { kind: "done", path: place.path };
  } catch (thrown) {
    if (thrown instanceof Ended) return thrown.end;
    if (thrown instanceof RotaError) throw thrown;
    return { kind: "failed", why: printable(messageOf(thrown)) };
  }
}

interface Place {
  path: string;
  /** Bytes that are there. */
  size: number;
  /** Bytes that there is room for; undefined where the host does not tell. */
  free: number | undefined;
}

/** Mode 0700: what is in a release is nobody else's before it is unpacked. */
const look = `
say() { echo "rota-upload: $*"; }
umask 077
dir=\${XDG_CACHE_HOME:-$HOME/.cache}/rota/uploads
mkdir -p "$dir"
chmod 700 "$dir"
for other in "$dir/\${ROTA_UPLOAD%%-*}"-*; do
  [ "$other" = "$dir/$ROTA_UPLOAD" ] || rm -f "$other"
done
say at "$dir/$ROTA_UPLOAD"
if [ -f "$dir/$ROTA_UPLOAD" ]; then say size $(wc -c <"$dir/$ROTA_UPLOAD"); fi
say free $(df -Pk "$dir" | { read -r _; read -r _ _ _ free _; echo "$free"; })
`;

async function placeOf(connection: Connection, options: UploadOptions): Promise<Place> {
  const said = await ask(connection, look, { ROTA_UPLOAD: options.name }, options);
  const path = said.get("at");
  if (!path?.startsWith("/")) throw new Ended("failed", "there is no folder for uploads ($HOME is not set)");
  const free = Number(said.get("free") || NaN);
  return {
    path,
    size: Number(said.get("size") ?? 0),
    free: Number.isSafeInteger(free) ? free * 1_024 : undefined,
  };
}

function mustFit({ size }: LocalFile, { path, size: there, free }: Place): void {
  const needed = size - there;
  if (free === undefined || needed <= free) return;
  throw new Ended(
    "failed",
    `no space left: ${path} needs ${sayBytes(needed)}, and ${sayBytes(free)} is free`,
  );
}

/** @returns whether it then is what it should be */
async function sent(
  connection: Connection,
  file: LocalFile,
  place: Place,
  options: UploadOptions,
): Promise<boolean> {
  try {
    await sendRest(connection, file, place, options);
  } catch (thrown) {
    throw await told(thrown, connection, options);
  }
  return (await sumOf(connection, place, options)) === file.sha256;
}

const sum = `
set -- $(sha256sum <"$ROTA_UPLOAD")
echo "rota-upload: sum $1"
`;

async function sumOf(connection: Connection, { path }: Place, options: UploadOptions): Promise<string> {
  return (await ask(connection, sum, { ROTA_UPLOAD: path }, options)).get("sum") ?? "";
}

/** What a script of ours says: the last of each word. */
async function ask(
  { client }: Connection,
  script: string,
  variables: Record<string, string>,
  { within, signal }: UploadOptions,
): Promise<Map<string, string>> {
  const said = new Map<string, string>();
  let last = "";
  const outcome = await exec(async () => client, script, {
    variables,
    within,
    signal,
    onOutput({ text }) {
      const [, word, rest] = /^rota-upload: (\w+) (.*)$/.exec(text) ?? [];
      if (word === undefined) last = text;
      else said.set(word, rest ?? "");
    },
  });
  if (outcome.kind === "done") return said;
  // On a connection that has just ended nothing can be started.
  if (outcome.kind === "unknown" || !last) throw new Ended("unknown", outcome.why);
  throw new Ended("failed", last);
}

/** SFTP's codes that are about the file (draft-ietf-secsh-filexfer-02 §7). */
const denied = 3;
const isOfFile = (code: number): boolean => code >= 1 && code <= 5;
/** Less room than this is none. */
const aLittle = 1 << 20;

/** SFTP says no more than "Failure" where a disk is full: so the host is asked. */
async function told(thrown: unknown, connection: Connection, options: UploadOptions): Promise<unknown> {
  if (thrown instanceof Ended) return thrown;
  const code: unknown = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  if (typeof code !== "number" || !isOfFile(code)) return new Ended("unknown", printable(messageOf(thrown)));
  if (code === denied) return new Ended("failed", "the folder for uploads may not be written to");
  const place = await placeOf(connection, options).catch(() => undefined);
  if (place?.free !== undefined && place.free < aLittle)
    return new Ended("failed", `no space left for ${place.path}`);
  return new Ended("failed", printable(messageOf(thrown)));
}
