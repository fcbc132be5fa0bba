/** Who is told of runs, and how: `notices`. */
import * as z from "zod";
import { noticeForms, noticeKinds } from "./notices.ts";
import { environmentName, filled } from "./schema-parts.ts";

/** An address is often the whole secret: what stands there is in no message. */
const address = z
  .string()
  .refine((text) => /^https?:\/\/[^\s\p{Cc}]+$/u.test(text) && URL.canParse(text), {
    error: "is not a URL that begins with https:// or http:// (not shown here: it may be a secret)",
  })
  .meta({ pattern: "^https?://" });

const fromEnvironment = z
  .strictObject({ env: environmentName }, { error: "write { env: NAME }: a secret is not in the file" })
  .describe("A secret that is not in the file: never shown, never stored.");

const notice = z
  .strictObject(
    {
      webhook: z
        .union([address, fromEnvironment], { error: "write a URL, or { env: NAME }" })
        .optional()
        .describe("The URL that gets an HTTP POST; or where it is, if it is a secret: { env: SLACK_URL }."),
      form: z
        .enum(noticeForms)
        .default("rota")
        .describe(
          "What is posted. rota: JSON with all that is known; slack: a message, for Slack, Mattermost, Rocket.Chat and Discord (its URL with /slack).",
        ),
      secret: fromEnvironment
        .optional()
        .describe(
          "What signs that which is posted, as Standard Webhooks has it: { env: NAME }, which holds a text, or whsec_ and base64.",
        ),
      run: filled
        .optional()
        .describe(
          "Instead of webhook: a command, run as /bin/sh -eu on the machine that rota runs on, in the folder of the inventory, with rota's own environment and ROTA_NOTICE, ROTA_TEXT, ROTA_NOTICE_JSON and others.",
        ),
      on: z
        .array(z.enum(noticeKinds))
        .min(1)
        .refine((kinds) => new Set(kinds).size === kinds.length, { error: "names one of them twice" })
        .default([...noticeKinds])
        .describe("Of what it is told."),
    },
    // Not what stands there: it may be such an address.
    { error: "write { webhook: https://… } or { run: ./command }" },
  )
  .refine(({ webhook, run }) => (webhook === undefined) !== (run === undefined), {
    error: "needs one of webhook and run, and not both",
  })
  .refine(({ run, secret, form }) => run === undefined || (secret === undefined && form === "rota"), {
    error: "form and secret are for a webhook; a command is given ROTA_TEXT and ROTA_NOTICE_JSON",
  });

export const notices = z.array(notice, { error: "write a list: - webhook: https://…" });
