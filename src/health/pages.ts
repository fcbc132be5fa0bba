import type { Health } from "../rotation/ports.ts";
import { fieldIn } from "./field.ts";
import { judge } from "./judge.ts";
import type { StatusClient } from "./status.ts";

/** The nodes' own status pages. */
export function statusPages(): Health {
  let client: Promise<StatusClient> | undefined;
  /** With axios, when a page is asked for the first time: that is mostly while an app boots. */
  const open = async (): Promise<StatusClient> => (await import("./status.ts")).createStatusClient();
  const load = (): Promise<StatusClient> => (client ??= open());
  return {
    async faultOf(check, options) {
      const verdict = judge(check, await (await load()).ask(check.url, options));
      return verdict.good ? undefined : verdict.why;
    },
    async fieldOf(url, field, options) {
      const answer = await (await load()).ask(url, options);
      return answer.kind === "answered" ? fieldIn(answer.body, field) : undefined;
    },
    async post(url, options) {
      const answer = await (await load()).post(url, options);
      if (answer.kind === "silent") return { kind: "unknown", why: answer.why };
      return answer.status < 400 ? { kind: "done" } : { kind: "failed", why: `answered ${answer.status}` };
    },
  };
}
