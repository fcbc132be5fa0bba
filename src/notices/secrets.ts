/** Addresses and keys of `notices`, out of rota's own environment where they are not in the file. */
import { shortestSecret } from "../base/redact.ts";
import type { NoticeTarget } from "../inventory/notices.ts";

export type Env = Record<string, string | undefined>;

/** One that is empty is not set. */
export const valueIn = (env: Env, name: string): string | undefined =>
  Object.hasOwn(env, name) ? env[name] || undefined : undefined;

/** What must never be shown or stored: the addresses, what in them looks like a key, and what signs. */
export const secretsOfNotices = (notices: NoticeTarget[], env: Env): string[] =>
  notices.flatMap(({ webhook, secret }) => {
    const url = typeof webhook === "string" ? webhook : webhook && valueIn(env, webhook.env);
    const signing = secret && valueIn(env, secret.env);
    return [
      ...(url === undefined ? [] : partsOf(url)),
      ...(signing === undefined ? [] : [signing, signing.replace(/^whsec_/, "")]),
    ].filter((text) => text.length >= shortestSecret);
  });

/** Shorter ones are words that may stand anywhere, such as /hooks. */
const shortestPath = 16;
const looksLikeKey = /^(?=.*\d)[A-Za-z0-9]{20,}$/;

function partsOf(text: string): string[] {
  if (!URL.canParse(text)) return [text];
  const { href, pathname, search, username, password } = new URL(text);
  const path = pathname + search;
  if (path === "/" && username === "" && password === "") return []; // no more than a host, which is no secret
  return [
    text,
    href,
    ...(path.length >= shortestPath ? [path] : []),
    ...path.split(/[/?&=]/).filter((part) => looksLikeKey.test(part)),
    password,
  ];
}
