/** `web[01:10].example.com:2222` → names and port, as Ansible's `expand_hostname_range` and `parse_address` have them. */

const numeric = String.raw`\[[0-9]+:[0-9]+(?::[0-9]+)?\]`;
const hexadecimal = String.raw`\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\]`;
const alphanumeric = String.raw`\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]`;
const four = String.raw`(?:[01]?[0-9]{1,2}|2[0-4][0-9]|25[0-5]|${numeric})`;
const six = `(?:[0-9a-f]{1,4}|${hexadecimal})`;
const letter = String.raw`[\p{L}\p{N}_]`;
const label = String.raw`(?:${letter}|${alphanumeric})(?:${letter}|-|${alphanumeric})*(?<![_-])`;

/** An address or a name, without a port. */
const hosts = [
  `(?:${four}\\.){3}${four}`,
  [
    `(?:${six}:){7}${six}`,
    `(?:${six}:){1,6}:`,
    `(?:${six}:)(?::${six}){1,6}`,
    `(?:${six}:){2}(?::${six}){1,5}`,
    `(?:${six}:){3}(?::${six}){1,4}`,
    `(?:${six}:){4}(?::${six}){1,3}`,
    `(?:${six}:){5}(?::${six}){1,2}`,
    `(?:${six}:){6}(?::${six})`,
    `:(?::${six}){1,6}`,
    `${six}?::`,
  ].join("|"),
  `${label}(?:\\.${label})*`,
].map((pattern) => new RegExp(`^(?:${pattern})$`, "iu"));

const withPort = [/^\[(.+)\]:([0-9]+)$/, /^((?:[^:[\]]|\[[^\]]*\])*):([0-9]+)$/];

/** As many hosts as one line may stand for. */
const mostHosts = 20_000;

export type Hosts = { names: string[]; port: number | undefined } | { problem: string };

export function hostsOf(pattern: string): Hosts {
  const { host, port } = apart(pattern);
  if (pattern.trim().endsWith(":") && port === undefined) {
    return { problem: `${pattern} ends in ":", which is for a port` };
  }
  const names = expandAll(host);
  return "problem" in names ? names : { names: names.names, port };
}

function apart(pattern: string): { host: string; port: number | undefined } {
  const [host, port] = withPort.reduce<[string, number | undefined]>(
    ([text, known], form) => {
      const [, left, digits] = form.exec(text) ?? [];
      return left === undefined ? [text, known] : [left, Number(digits)];
    },
    [pattern, undefined],
  );
  // What is no host is taken as it stands, the port with it.
  return hosts.some((form) => form.test(host)) ? { host, port } : { host: pattern, port: undefined };
}

function expandAll(text: string): { names: string[] } | { problem: string } {
  let names = [text];
  while (names[0]?.includes("[")) {
    const expanded = names.map(expandFirst);
    const wrong = expanded.find((one) => "problem" in one);
    if (wrong && "problem" in wrong) return wrong;
    names = expanded.flatMap((one) => ("problem" in one ? [] : one.names));
    if (names.length > mostHosts) return { problem: `${text} stands for more than ${mostHosts} hosts` };
  }
  return { names };
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

function expandFirst(text: string): { names: string[] } | { problem: string } {
  const wrong = { problem: `${text} holds no right range; a range is [1:9], [01:10], [a:f] or [1:9:2]` };
  const parts = text.replace("[", "|").replace("]", "|").split("|");
  const [head = "", range = "", tail = ""] = parts;
  const bounds = range.split(":");
  if (parts.length !== 3 || bounds.length < 2 || bounds.length > 3) return wrong;
  const [first = "", end = "", by = "1"] = bounds;
  const begin = first || "0";
  const padded = begin.startsWith("0") && begin.length > 1;
  if (end === "" || !/^\d+$/.test(by) || Number(by) === 0) return wrong;
  if (padded && begin.length !== end.length) {
    return { problem: `${text}: with zeros in front both ends need the same number of digits` };
  }
  const [from, to] = [letters.indexOf(begin), letters.indexOf(end)];
  const byLetter = from >= 0 && to >= 0;
  if (byLetter && from > to) return { problem: `${text}: the range runs backwards` };
  if (!byLetter && !(/^\d{1,9}$/.test(begin) && /^\d{1,9}$/.test(end))) return wrong;
  const [least, most] = byLetter ? [from, to] : [Number(begin), Number(end)];
  const count = Math.max(0, Math.floor((most - least) / Number(by)) + 1);
  if (count > mostHosts) return { problem: `${text} stands for more than ${mostHosts} hosts` };
  const names = Array.from({ length: count }, (_, i) => least + i * Number(by)).map((number) => {
    const word = byLetter ? (letters[number] ?? "") : String(number);
    return head + (padded ? word.padStart(begin.length, "0") : word) + tail;
  });
  return { names };
}
