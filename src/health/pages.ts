import type { Health } from "../rotation/ports.ts";
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
  };
}
