import type { Health } from "../rotation/ports.ts";
import { fieldIn } from "./field.ts";
import { judge } from "./judge.ts";
import { createStatusClient } from "./status.ts";

/** The nodes' own status pages. */
export function statusPages(): Health {
  const client = createStatusClient();
  return {
    async faultOf(check, options) {
      const verdict = judge(check, await client.ask(check.url, options));
      return verdict.good ? undefined : verdict.why;
    },
    async fieldOf(url, field, options) {
      const answer = await client.ask(url, options);
      return answer.kind === "answered" ? fieldIn(answer.body, field) : undefined;
    },
    async post(url, options) {
      const answer = await client.post(url, options);
      if (answer.kind === "silent") return { kind: "unknown", why: answer.why };
      return answer.status < 400 ? { kind: "done" } : { kind: "failed", why: `answered ${answer.status}` };
    },
  };
}
