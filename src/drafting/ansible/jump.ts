/** The jump host that SSH options name, where that can be read plainly. */
import { parseSshHost } from "../../inventory/socket.ts";
import { wordsIn } from "./words.ts";

/** `[user@]host[:port]`; undefined where there is none; a problem where there is one that rota can't have. */
export function jumpIn(options: string): string | undefined | { problem: string } {
  const words = wordsIn(options);
  if ("problem" in words) return words;
  const said = optionsIn(words);
  const [proxy] = said.filter(({ name }) => name === "proxyjump").map(({ value }) => value);
  const [command] = said.filter(({ name }) => name === "proxycommand").map(({ value }) => value);
  if (proxy !== undefined) return proxy.toLowerCase() === "none" ? undefined : plain(proxy);
  return command === undefined || command.toLowerCase() === "none"
    ? undefined
    : plain(hostIn(command) ?? command);
}

const plain = (host: string): string | { problem: string } =>
  parseSshHost(host) ? host : { problem: `its way through another host is not plain: ${host}` };

/** -J HOST, -o Name=VALUE, -oName=VALUE, -o "Name VALUE" */
function optionsIn(words: string[]): { name: string; value: string }[] {
  return words.flatMap((word, i) => {
    const next = words[i + 1] ?? "";
    if (word === "-J") return [{ name: "proxyjump", value: next }];
    if (/^-J./.test(word)) return [{ name: "proxyjump", value: word.slice(2) }];
    const option = word === "-o" ? next : /^-o./.test(word) ? word.slice(2) : undefined;
    const [, name = "", value = ""] = /^\s*(\w+)\s*[=\s]\s*(.*)$/.exec(option ?? "") ?? [];
    return name === "" ? [] : [{ name: name.toLowerCase(), value }];
  });
}

/** `ssh -W %h:%p -q -p 2222 user@host` */
function hostIn(command: string): string | undefined {
  const words = wordsIn(command);
  if ("problem" in words || words[0] !== "ssh" || !words.includes("-W")) return undefined;
  let [user, port, host]: (string | undefined)[] = [];
  for (let i = 1; i < words.length; i += 1) {
    const [word = "", next] = [words[i], words[i + 1]];
    if (word === "-W" && next === "%h:%p") i += 1;
    else if (word === "-p") [port, i] = [next, i + 1];
    else if (word === "-l") [user, i] = [next, i + 1];
    else if (word === "-q" || word === "-A" || word === "-T") continue;
    else if (word.startsWith("-") || host !== undefined) return undefined;
    else host = word;
  }
  return host && `${user === undefined ? "" : `${user}@`}${host}${port === undefined ? "" : `:${port}`}`;
}
