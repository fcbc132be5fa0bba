/** As much of an HAProxy configuration as can hurt a rotation. Pure. Source: Configuration Manual §2, §3, §4, §5. */
import { parseDuration } from "../base/duration.ts";

export interface HaproxyConfig {
  /** global: server-state-file or server-state-base. */
  statesKept: boolean;
  /** A stats socket with "expose-fd listeners". */
  exposesListeners: boolean;
  backends: Map<string, BackendConfig>;
}

export interface BackendConfig {
  /** load-server-state-from-file, other than none. */
  loadsStates: boolean;
  redispatch: boolean;
  /** "option persist": servers in maint still get their clients. */
  persist: boolean;
  /** The cookie that binds clients, and whether it ends (maxidle, maxlife). */
  cookie: { name: string; ends: boolean } | undefined;
  /** Clients are bound by a stick table, and whether its entries expire; undefined where the table is another proxy's. */
  stick: { expires: boolean | undefined } | undefined;
  /** By server: the longest pause between two checks, and slowstart. Milliseconds. */
  servers: Map<string, { inter: number; slowstart: number }>;
}

/** Undefined where it has conditions (".if"), which only HAProxy itself can judge. */
export function readHaproxyConfig(text: string): HaproxyConfig | undefined {
  const lines = text.split("\n").map(wordsOf);
  if (lines.some(([first]) => first?.startsWith("."))) return undefined;
  const sections = sectionsOf(lines);
  const globals = sections.filter(({ kind }) => kind === "global").flatMap((section) => section.lines);
  const proxies = sections.filter(({ kind }) => kind === "backend" || kind === "listen");
  return {
    statesKept: globals.some(([key]) => key === "server-state-file" || key === "server-state-base"),
    exposesListeners: globals.some(
      (words) =>
        words[0] === "stats" && words[1] === "socket" && words.join(" ").includes("expose-fd listeners"),
    ),
    backends: new Map(proxies.map((section) => [section.name, backendOf(linesFor(section, sections))])),
  };
}

interface Section {
  kind: string;
  name: string;
  from: string | undefined;
  lines: string[][];
}

const sectionWords = new Set(
  "global defaults frontend backend listen userlist peers resolvers ring cache program mailers http-errors fcgi-app log-forward log-profile crt-store traces acme".split(
    " ",
  ),
);

/** A line's words; what follows a "#" outside of quotes is a comment. */
function wordsOf(line: string): string[] {
  const words = line.match(/"(?:\\.|[^"])*"|'[^']*'|\\.|#.*|[^\s"'\\#]+|\s+/g) ?? [];
  const joined: string[] = [];
  let open = false;
  for (const word of words) {
    if (word.startsWith("#")) break;
    if (/^\s/.test(word)) open = false;
    else {
      const bare = /^(["']).*\1$/s.test(word) ? word.slice(1, -1) : word;
      if (open) joined.push(`${joined.pop()}${bare}`);
      else joined.push(bare);
      open = true;
    }
  }
  return joined;
}

function sectionsOf(lines: string[][]): Section[] {
  const sections: Section[] = [];
  for (const words of lines) {
    const [kind = "", ...rest] = words;
    if (sectionWords.has(kind)) {
      const at = rest.indexOf("from");
      const name = rest[0] === "from" ? "" : (rest[0] ?? "");
      sections.push({ kind, name, from: at < 0 ? undefined : rest[at + 1], lines: [] });
    } else if (words.length > 0) sections.at(-1)?.lines.push(words);
  }
  return sections;
}

/** Its defaults' lines, then its own: the later one counts. Defaults themselves have others only by name. */
function linesFor(section: Section, all: Section[]): string[][] {
  const before = all.slice(0, all.indexOf(section)).filter(({ kind }) => kind === "defaults");
  const usual = section.kind === "defaults" ? undefined : before.at(-1);
  const base = section.from === undefined ? usual : before.findLast(({ name }) => name === section.from);
  return [...(base ? linesFor(base, all) : []), ...section.lines];
}

function backendOf(lines: string[][]): BackendConfig {
  const last = (key: string): string[] | undefined => lines.findLast(([first]) => first === key);
  const option = (name: string): boolean => {
    const words = lines.findLast((line) => {
      const [key, word] = line[0] === "no" ? line.slice(1) : line;
      return key === "option" && word === name;
    });
    return words !== undefined && words[0] !== "no";
  };
  const cookie = last("cookie");
  const sticks = lines.some(([key, word]) => key === "stick" && (word === "on" || word === "match"));
  const table = last("stick-table");
  const states = last("load-server-state-from-file");
  return {
    loadsStates: states !== undefined && states[1] !== "none",
    redispatch: option("redispatch"),
    persist: option("persist"),
    cookie: cookie && { name: cookie[1] ?? "", ends: cookie.some((word) => /^max(idle|life)$/.test(word)) },
    stick: sticks ? { expires: table?.includes("expire") } : undefined,
    servers: serversOf(lines),
  };
}

function serversOf(lines: string[][]): BackendConfig["servers"] {
  const defaults = lines.filter(([key]) => key === "default-server").flat();
  const servers = lines.filter(([key]) => key === "server");
  return new Map(
    servers.map((words): [string, { inter: number; slowstart: number }] => {
      const all = [...defaults, ...words];
      const time = (key: string): number | undefined => timeAfter(all, key);
      const inter = time("inter") ?? 2_000;
      return [
        words[1] ?? "",
        { inter: Math.max(inter, time("downinter") ?? 0), slowstart: time("slowstart") ?? 0 },
      ];
    }),
  );
}

/** A bare number is milliseconds. */
function timeAfter(words: string[], key: string): number | undefined {
  const text = words[words.lastIndexOf(key) + 1];
  if (!words.includes(key) || text === undefined) return undefined;
  return parseDuration(/^\d+$/.test(text) ? `${text}ms` : text);
}
