/** Each entry of `notices` as something that can be told; its secrets from rota's own environment. */
import { randomUUID } from "node:crypto";
import { shortestSecret } from "../base/redact.ts";
import { fit } from "../board/width.ts";
import type { NoticeKind, NoticeTarget } from "../inventory/notices.ts";
import type { Here } from "../rotation/ports.ts";
import { printable } from "../base/quote.ts";
import { rotaBody } from "./body.ts";
import { tellCommand } from "./command.ts";
import type { Notice } from "./notice.ts";
import { type Hurry, untilTaken } from "./retry.ts";
import { type Env, valueIn } from "./secrets.ts";
import { keyOf, webhookHeaders } from "./sign.ts";
import { slackBody } from "./slack.ts";

export interface Target {
  /** For people: never the address itself. */
  name: string;
  on: ReadonlySet<NoticeKind>;
  /** Returns why it could not be told. */
  tell: (notice: Notice, hurry: Hurry) => Promise<string | undefined>;
}

/** One that nobody can tell anything. */
export interface Unusable {
  name: string;
  why: string;
}

export function targetOf(
  { webhook, run, form, secret, on }: NoticeTarget,
  number: number,
  here: Here,
  env: Env,
): Target | Unusable {
  const which = `notices ${number}`;
  if (webhook === undefined) {
    const script = run ?? "";
    // No more of it: an address may follow.
    const name = `${which} (${fit(printable(script.trim().split(/\s/, 1)[0] ?? ""), 40)})`;
    return { name, on: new Set(on), tell: (notice, hurry) => tellCommand(script, notice, here, hurry) };
  }
  const url = typeof webhook === "string" ? webhook : valueIn(env, webhook.env);
  if (url === undefined || !/^https?:\/\//.test(url) || !URL.canParse(url)) {
    const variable = typeof webhook === "string" ? "" : `$${webhook.env}`;
    return { name: which, why: `${variable} ${url === undefined ? "is not set" : "is not a URL"}` };
  }
  const name = `${which} (${new URL(url).host})`;
  const signing = secret && valueIn(env, secret.env);
  const key = signing === undefined ? undefined : keyOf(signing);
  // Never sent without the signature that was asked for.
  if (secret && (!key || key.length < shortestSecret)) {
    const fault = signing === undefined ? "is not set" : "is too short, or not base64 after whsec_";
    return { name, why: `$${secret.env} ${fault}` };
  }
  return {
    name,
    on: new Set(on),
    tell: (notice, hurry) => {
      const body = Buffer.from(JSON.stringify(form === "slack" ? slackBody(notice) : rotaBody(notice)));
      const id = `msg_${randomUUID()}`;
      return untilTaken(async () => {
        const { post } = await import("./post.ts"); // with axios: most fleets tell nobody
        const seconds = Math.floor(hurry.clock.today().getTime() / 1_000);
        return post(url, body, webhookHeaders(id, seconds, body, key), hurry.now);
      }, hurry);
    },
  };
}
